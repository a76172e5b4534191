"""Stores of cubes of chi2, at a path or a URL: cubes are cut into chunks, each with a record of its checksum."""
