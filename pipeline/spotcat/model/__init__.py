"""The model of a gridded light curve that a survey fits: its grid, covariance, priors and likelihoods."""
