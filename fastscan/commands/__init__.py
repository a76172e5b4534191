"""The commands and their options, which call the Python interface."""
