"""Outputs: pictures, pages, tables on a terminal, files for other programs, and references to cite."""
