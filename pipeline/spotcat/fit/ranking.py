"""Which of a star's period modes is best, which are different, and what the others say against it.

The modes of n stars, k each, lie star after star in flat arrays, which may go on with padding.
"""

from __future__ import annotations

import numpy as np

SAME_PERIOD = 0.05
"""Modes closer than this in ln P are one: half and double periods may climb to where another mode is."""
ALIAS = 0.15
"""Modes this close in ln P to half or double the best period are its alias."""


def ranking(value: np.ndarray, theta: np.ndarray, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of every star's modes, best first, and whether each has a period of its own.

    Modes that found the period of a better one come last, before them those that are not finite.

    Args:
        value: negative log-posteriors, shape (N,) with ``N >= n k``.
        theta: coordinates, ln P first, shape (N, n_theta).
        n: stars.
        k: modes of each.

    Returns:
        Two arrays of shape (n, k).
    """
    flat = value[: n * k].reshape(n, k)
    by_star = np.where(np.isfinite(flat), flat, np.inf)
    order = np.argsort(by_star, axis=1, kind="stable")
    ln_period = np.take_along_axis(theta[: n * k, 0].reshape(n, k), order, axis=1)
    near = np.abs(ln_period[:, :, None] - ln_period[:, None, :]) < SAME_PERIOD
    distinct = ~np.tril(near, -1).any(axis=2)
    last = np.argsort(~distinct, axis=1, kind="stable")
    places = np.take_along_axis(order, last, axis=1) + k * np.arange(n)[:, None]
    return places, np.take_along_axis(distinct, last, axis=1)


def log_mass(value: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """Logarithm of the posterior probability of modes by Laplace's approximation, up to a constant; shape (...).

    Args:
        value: negative log-posteriors, shape (...).
        curvature: positive definite information there, shape (..., n_theta, n_theta).
    """
    factor = np.linalg.cholesky(curvature)
    return -value - np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)


def alias_at(shift: float, value: np.ndarray, theta: np.ndarray, n: int, k: int) -> np.ndarray:
    """Places of the best mode near `shift` from each star's best one in ln P.

    Args:
        shift: such as ``-ln 2`` for half the period.
        value: as in `ranking`.
        theta: as in `ranking`.
        n: stars.
        k: modes of each.

    Returns:
        Shape (n,); -1 where there is none.
    """
    lower = np.where(np.isfinite(value), value, np.inf)[: n * k].reshape(n, k)
    ln_period = theta[: n * k, 0].reshape(n, k)
    best = np.argmin(lower, axis=1)[:, None]
    there = is_alias(ln_period - np.take_along_axis(ln_period, best, axis=1), shift)
    alias = np.where(there, lower, np.inf)
    found = np.isfinite(alias.min(axis=1)) & np.isfinite(lower.min(axis=1))
    return np.where(found, np.argmin(alias, axis=1) + k * np.arange(n), -1)


def is_alias(apart: np.ndarray, shift: float) -> np.ndarray:
    """Whether periods `apart` from the best one in ln P are its alias at `shift`, such as ``-ln 2``."""
    return np.abs(apart - shift) < ALIAS
