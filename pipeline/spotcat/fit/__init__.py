"""Fitting many stars at once: arrays in, arrays out, one compiled program per bucket shape."""
