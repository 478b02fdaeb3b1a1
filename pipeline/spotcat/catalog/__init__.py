"""The per-star catalog: its columns, how chunks become one store, and how that store is queried.

Nothing here needs JAX, Dask or lightkurve, and xarray and zarr are loaded on first use.
"""
