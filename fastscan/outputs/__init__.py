"""What people see: pictures, tables on a terminal, references to cite."""
