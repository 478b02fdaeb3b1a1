"""Gaussian processes of spotted stars: kernels, linear algebra, likelihoods, priors and the one-star solver."""
