"""Segments on one level: without their means, and without lines where these are nearly all there is."""

from __future__ import annotations

import numpy as np

MOSTLY_LINES = 0.8
"""Share of the variance within segments from which on their lines are taken away.  Of a rotation with one cycle in each
segment a line explains 6 / pi^2 at most, of one with 0.87 of a cycle as much as this."""


ROUNDING = 1e-12
"""Of lines alone less than this part of the variance is left."""


def levelled(y: np.ndarray, segment: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Gridded flux without the mean of each segment, and without its line where lines are nearly all there is.

    A drift of many times the rotation's amplitude would leave no room for it under the floor of the white noise.

    Args:
        y: flux, shape (M,).
        segment: segment number, shape (M,).
        mask: 1 where there is a measurement, shape (M,).
    """
    place = np.arange(y.size, dtype=float)
    flat, bent = (_centred(values, segment, mask) for values in (y, place))
    across, along = (np.bincount(segment, values * bent) for values in (flat, bent))
    slope = across / np.maximum(along, 1e-300)
    explained, power = float(np.sum(slope * across)), float(flat @ flat)
    if explained <= MOSTLY_LINES * power:
        return flat
    # What rounding leaves of nothing but lines is no flux.
    return flat - slope[segment] * bent if power - explained > ROUNDING * power else np.zeros_like(flat)


def _centred(values: np.ndarray, segment: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Values less the mean of their segment, 0 where there is no measurement."""
    count = np.maximum(np.bincount(segment, mask), 1)
    return (values - (np.bincount(segment, values * mask) / count)[segment]) * mask
