"""Light curves without rotation: what a survey holds besides rotators, to count false alarms on.

Each family imitates one cause of variability that is no rotation: noise, granulation-like red noise, slow drifts,
transits, and what spacecraft add (Kepler: Data Characteristics Handbook, KSCI-19040; TESS: Instrument Handbook,
Vanderspek et al. 2018): jumps, ramps of scattered light, momentum dumps, the 13.7-d orbit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Signal = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Relative flux of unit order at given times [d], shape (n,)."""

TESS_ORBIT = 13.7
"""Orbital period of TESS [d]."""


def white(time: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Nothing but the noise that every star has."""
    return np.zeros(time.size)


def red(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ornstein-Uhlenbeck noise, its time scale log-uniform from four cadences to a fifth of the baseline."""
    step, span = float(np.median(np.diff(time))), float(np.ptp(time))
    scale = np.exp(rng.uniform(np.log(4 * step), np.log(span / 5)))
    decay = np.exp(-np.diff(time) / scale)
    kicks = rng.standard_normal(time.size)
    flux = np.empty(time.size)
    flux[0] = kicks[0]
    for i in range(1, time.size):
        flux[i] = decay[i - 1] * flux[i - 1] + np.sqrt(1 - decay[i - 1] ** 2) * kicks[i]
    return flux


def drift(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A cubic over the whole baseline, as of differential velocity aberration."""
    x = 2 * (time - time[0]) / np.ptp(time) - 1
    return np.polynomial.legendre.legval(x, [0.0, *rng.standard_normal(3)])


def transits(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Box-shaped transits, three at least, of a few hours."""
    period = np.exp(rng.uniform(np.log(1.0), np.log(np.ptp(time) / 3)))
    duration = rng.uniform(0.08, 0.25)
    dip = (time - rng.uniform(0, period)) % period < duration
    return -rng.uniform(1, 5) * dip


def ramps(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scattered light that fades exponentially from the start and from half-way."""
    flux, scale = np.zeros(time.size), rng.uniform(0.3, 2.0)
    for begin in (time[0], time[0] + np.ptp(time) / 2):
        after = time - begin
        flux += np.where(after >= 0, rng.normal() * np.exp(-np.maximum(after, 0) / scale), 0)
    return 2 * flux


def dumps(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A small step at every momentum dump, one each 2.5 to 5 d."""
    every = rng.uniform(2.5, 5.0)
    interval = ((time - time[0]) / every).astype(int)
    return rng.normal(size=interval.max() + 1)[interval]


def orbit(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A hump of scattered light at every perigee, alike but not equal."""
    phase = ((time - rng.uniform(0, TESS_ORBIT)) / TESS_ORBIT) % 1
    turn = ((time - time[0]) / TESS_ORBIT).astype(int)
    height = 1 + 0.3 * rng.normal(size=turn.max() + 1)
    return 2 * height[turn] * np.exp(-0.5 * ((phase - 0.5) / rng.uniform(0.03, 0.1)) ** 2)


def jumps(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One to three sudden changes of sensitivity."""
    at = rng.uniform(time[0], time[-1], rng.integers(1, 4))
    return (rng.normal(size=at.size)[:, None] * (time > at[:, None])).sum(0) * 2


FAMILIES: dict[str, tuple[Signal, ...]] = {
    "plain": (white, red, drift, transits),
    "kepler": (white, red, drift, transits, jumps),
    "tess": (white, red, drift, transits, ramps, dumps, orbit),
}
"""Families by the kind of observation."""
