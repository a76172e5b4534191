"""Scans: from a grid file to a store, which is planned, computed by dask in threads or on workers, and verified."""
