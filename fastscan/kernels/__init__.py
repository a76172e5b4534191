"""The arithmetic of scans and limits, compiled by numba.  Nothing here knows a file, an experiment or a model."""
