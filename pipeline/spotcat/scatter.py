"""Robust standard deviations, which outliers and flares hardly move."""

from __future__ import annotations

import numpy as np

_MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution in units of its median absolute deviation, 1 / Phi^-1(3/4)."""


def sigma_of(values: np.ndarray) -> float:
    """Standard deviation of a normal distribution with the median absolute deviation of some values; 0 of none."""
    return sigma_about(values, float(np.median(values))) if values.size else 0.0


def sigma_about(values: np.ndarray, middle: float) -> float:
    """The same with the deviations taken from `middle`; 0 of no values."""
    return _MAD_TO_SIGMA * float(np.median(np.abs(values - middle))) if values.size else 0.0
