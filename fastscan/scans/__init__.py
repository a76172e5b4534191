"""A grid file becomes a store: planned, weighed, computed by dask in threads or on workers, and verified."""
