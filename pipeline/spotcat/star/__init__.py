"""Physics of a spotted star: envelopes, visibility, latitudes, and the light curves they make."""
