"""The commands and their options: what a user types, turned into calls of the Python interface."""
