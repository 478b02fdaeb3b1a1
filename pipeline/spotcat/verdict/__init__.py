"""What a reader may believe of a fit: arrays in, columns, flags and the decision out; without JAX."""
