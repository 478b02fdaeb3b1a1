"""Envelopes beside the symmetric trapezoid, by the kind of their closed forms."""
