"""What a light curve tells without a model."""

from __future__ import annotations

import numpy as np

from spotcat.model.grid import GridBatch

DATA_COLUMNS = ("baseline", "duty", "longest_segment", "rvar", "sph")
"""Columns that describe a light curve, whatever comes of its fit."""


def describing(batch: GridBatch, dt: float, prot: np.ndarray) -> dict[str, np.ndarray]:
    """Columns that describe the light curve itself.

    Args:
        batch: light curves on a fine grid, B of them.
        dt: its step [d].
        prot: fitted rotation periods [d], shape (B,).

    Returns:
        ``baseline``, ``duty``, ``longest_segment``, ``rvar`` and ``sph``, shape (B,) each.
    """
    rows = []
    arrays = batch.y, batch.mask, batch.segment, batch.elapsed, batch.scale, prot
    for y, mask, segment, elapsed, scale, p in zip(*arrays, strict=True):
        seen = np.flatnonzero(mask)
        time = elapsed[seen]
        flux, where = y[seen] * scale, segment[seen]
        lengths = [np.ptp(seen[where == s]) for s in np.unique(where)]
        window = np.floor(time / (5 * p)) if np.isfinite(p) else np.zeros_like(time)
        scatter = [flux[window == w].std() for w in np.unique(window)]
        low, high = np.percentile(flux, [5, 95])
        span = np.ptp(time)
        extent = span, seen.size / (span / dt + 1), max(lengths) * dt
        rows.append((*extent, high - low, np.mean(scatter)))
    return dict(zip(DATA_COLUMNS, np.array(rows).T, strict=True))
