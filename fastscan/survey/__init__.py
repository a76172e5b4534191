"""Today's published data: limits of every data set and model of the package, beside those of the literature."""
