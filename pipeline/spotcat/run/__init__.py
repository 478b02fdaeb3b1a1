"""From a recipe to a catalog: the stages, the chunks of work, and who does them.

Only this room knows Dask.  The process that drives a run imports neither Dask nor JAX until it needs them, and
JAX never where workers do the fitting.
"""
