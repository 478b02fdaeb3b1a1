"""The star page's panel of rotations one by one, and how it writes a number with its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.report.fitted import FittedStar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PHASES = 120
"""Phases at which a rotation is drawn."""


def folded(star: FittedStar) -> np.ndarray:
    """Flux by rotation and phase, without the mean of each rotation, in units of the scatter.

    Returns:
        NaN where nothing was measured, shape (rotations, `PHASES`).
    """
    steps = star.row["prot"] / star.dt
    n_rotations = max(int(np.ceil((star.seen[-1] + 1 - star.seen[0]) / steps)), 1)
    phase = (np.arange(PHASES) + 0.5) / PHASES
    place = np.round(star.seen[0] + (np.arange(n_rotations)[:, None] + phase) * steps).astype(int)
    inside = place < star.grid.y.size
    place = np.minimum(place, star.grid.y.size - 1)
    clean = np.zeros(star.grid.y.size)
    clean[star.seen] = star.grid.y[star.seen] - star.beside
    seen = inside & (star.grid.mask[place] > 0)
    flux = np.where(seen, clean[place], 0.0)
    mean = flux.sum(axis=1, keepdims=True) / np.maximum(seen.sum(axis=1, keepdims=True), 1)
    return np.where(seen, flux - mean, np.nan)


def rotations(axes: Axes, star: FittedStar) -> None:
    """Every rotation as a row, twice side by side: spots that stay are columns, those that drift are slanted."""
    flux = folded(star)
    following = np.vstack([flux[1:], np.full((1, PHASES), np.nan)])
    bound = float(np.nanpercentile(np.abs(flux), 97)) or 1.0
    axes.imshow(
        np.hstack([flux, following]),
        aspect="auto",
        cmap="cividis",
        vmin=-bound,
        vmax=bound,
        extent=(0, 2, len(flux), 0),
        interpolation="nearest",
        rasterized=True,
    )
    axes.set(xlabel="phase", ylabel="rotation", title="Rotation by rotation")
    axes.tick_params(which="both", top=False, right=False, direction="out")


def with_errors(row: dict[str, Any], name: str, unit: str) -> str:
    """A value with its distances to the 16th and 84th percentile: two digits of the larger one, one of the smaller."""
    value, low, high = row[name], row[f"{name}_lower"], row[f"{name}_upper"]
    below, above = max(value - low, 0.0), max(high - value, 0.0)
    place = [np.floor(np.log10(error)) for error in (below, above) if error > 0] or [-4]
    digits = int(np.clip(max(1 - max(place), -min(place)), 0, 5))
    return f"${value:.{digits}f}^{{+{above:.{digits}f}}}_{{-{below:.{digits}f}}}$ {unit}"
