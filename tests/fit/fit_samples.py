"""Simulated light curves with their truth, apart from the product's simulator."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

THETA = np.array([np.log(8.0), -1.0, 0.6, np.log(12.0), np.log(5.0), -0.4, -1.0, 0.1, 0, 0, 0, -4, -3.5, -3, -2, -2.5])
"""Coordinates of a fitted star, as ``model.layout.Layout`` names them."""


class Star(NamedTuple):
    """A light curve with its truth."""

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    segment: np.ndarray
    peq: float = np.nan
    photometric: float = np.nan

    @property
    def vectors(self) -> np.ndarray:
        """Nothing is to be marginalised but offsets."""
        return np.empty((len(self.time), 0))


def simulate(
    rng: np.random.Generator, m: int = 300, dt: float = 0.5, periods: tuple[float, float] = (2.0, 30.0)
) -> Star:
    """A star of the population that the recovery figures are quoted for, or one observed otherwise."""
    peq, kappa, inc = np.exp(rng.uniform(*np.log(periods))), rng.uniform(0, 0.3), np.arccos(rng.uniform(0, 1))
    plateau, ramp, n_spots = rng.uniform(5, 40), rng.uniform(2, 20), int(rng.integers(10, 40))
    t, reach = np.arange(m) * dt, plateau / 2 + ramp
    phi, longitude = rng.uniform(-np.pi / 2, np.pi / 2, n_spots), rng.uniform(0, 2 * np.pi, n_spots)
    peak = rng.uniform(-reach, m * dt + reach, n_spots)
    omega = 2 * np.pi * (1 - kappa * np.sin(phi) ** 2) / peq
    area = np.clip((reach - np.abs(t[:, None] - peak)) / ramp, 0, 1) ** 2
    height = np.sin(phi) * np.cos(inc) + np.cos(phi) * np.sin(inc) * np.cos(omega * t[:, None] + longitude)
    signal = -(area * np.maximum(height, 0)).sum(1)
    noise = 0.3 * signal.std()
    seen = rng.random(m) > 0.02
    start = rng.integers(0, m - 20)
    seen[start : start + 10] = False
    weight = area.sum(0) * np.cos(phi) ** 2
    flux = 1 + 0.01 * (signal + noise * rng.normal(size=m))
    return Star(
        t[seen], flux[seen], np.full(seen.sum(), 0.01 * noise), np.zeros(seen.sum(), int),
        peq, 2 * np.pi * weight.sum() / (omega * weight).sum(),
    )  # fmt: skip


def cut(star: Star, baseline: float) -> Star:
    """The first part of a light curve."""
    seen = star.time < baseline
    return star._replace(**{k: getattr(star, k)[seen] for k in ("time", "flux", "flux_err", "segment")})


def within(periods: np.ndarray, stars: list[Star], tolerance: float = 0.1) -> float:
    """Fraction of periods within a tolerance of the equatorial or the photometric period."""
    return float(np.mean([min(abs(p / s.peq - 1), abs(p / s.photometric - 1)) < tolerance
                          for p, s in zip(periods, stars, strict=True)]))  # fmt: skip
