"""Does the fit find what is known?  Simulated surveys with their truth, and recovery of it."""
