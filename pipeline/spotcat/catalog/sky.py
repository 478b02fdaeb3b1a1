"""Positions on the sky: separations, and an index of declination zones in which a cone reads little.

Stars are sorted by zone and, within it, by right ascension, so that the stars near a position are a few short
runs of the sorted lists (Gray, Nieto-Santisteban & Szalay 2006, MSR-TR-2006-52).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spotcat.status import InputError

ZONE = 0.5
"""Height of a zone [deg]."""
N_ZONES = round(180 / ZONE)


def separation(ra: np.ndarray, dec: np.ndarray, ra0: float | np.ndarray, dec0: float | np.ndarray) -> np.ndarray:
    """Angular separation [deg] of positions [deg] from others, exact for small and for large ones.

    Vincenty's formula for a sphere, as in `astropy.coordinates.angular_separation`.
    """
    ra, dec, ra0, dec0 = (np.deg2rad(angle) for angle in (ra, dec, ra0, dec0))
    across = np.hypot(
        np.cos(dec0) * np.sin(ra - ra0),
        np.cos(dec) * np.sin(dec0) - np.sin(dec) * np.cos(dec0) * np.cos(ra - ra0),
    )
    along = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra - ra0)
    return np.asarray(np.rad2deg(np.arctan2(across, along)))


def unit_vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Positions [deg] on the unit sphere, shape (n, 3)."""
    ra, dec = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)


def zone_of(dec: np.ndarray) -> np.ndarray:
    """Number of the zone of each declination [deg]."""
    return np.clip(np.floor((np.asarray(dec) + 90) / ZONE), 0, N_ZONES - 1).astype(np.int64)


def sky_order(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order in which the index holds the stars that have a position.

    Args:
        ra: right ascensions [deg], NaN where unknown.
        dec: declinations [deg], NaN where unknown.

    Returns:
        Row numbers sorted by zone and right ascension, and where each zone starts in them, with the end of
        the last one: shape (N_ZONES + 1,).
    """
    known = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    zone = zone_of(dec[known])
    order = np.lexsort((known, ra[known] % 360, zone))
    return known[order], np.searchsorted(zone[order], np.arange(N_ZONES + 1))


def zones_near(dec: float, radius: float) -> range:
    """The zones that a cone touches."""
    first, last = zone_of(np.array([dec - radius, dec + radius]))
    return range(int(first), int(last) + 1)


def ra_ranges(ra: float, dec: float, radius: float) -> Iterator[tuple[float, float]]:
    """The right ascensions [deg, 0 to 360] that a cone touches, as one or two ranges."""
    if abs(dec) + radius >= 89.9:
        yield 0.0, 360.0
        return
    half = np.rad2deg(np.arcsin(np.sin(np.deg2rad(radius)) / np.cos(np.deg2rad(dec)))) * (1 + 1e-9) + 1e-9
    low, high = ra % 360 - half, ra % 360 + half
    yield max(low, 0.0), min(high, 360.0)
    if low < 0:
        yield low + 360, 360.0
    if high > 360:
        yield 0.0, high - 360


def degrees(value: Any) -> float:
    """A number of degrees, or an astropy quantity, as a number of degrees.

    Raises:
        InputError: it is neither.
    """
    try:
        return float(value.to_value("deg") if hasattr(value, "to_value") else value)
    except (TypeError, ValueError):
        raise InputError(f"not an angle in degrees: {value!r}") from None
