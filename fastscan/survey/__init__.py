"""The survey of today's published data: limits of every data set and model, compared with published limits."""
