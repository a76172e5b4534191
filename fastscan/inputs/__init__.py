"""Input from people, checked and converted once: TOML files, data files, quantities with units, arguments."""
