"""Where cubes of chi2 lie: a path or a URL, cut into chunks, each recorded as done with its checksum."""
