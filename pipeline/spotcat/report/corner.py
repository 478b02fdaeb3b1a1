"""The corner of the star page: posterior draws of the main parameters, pair by pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.report.style import DATA, MODEL
from spotcat.status import LifetimeFlag

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARAMETERS = (("prot", "P [d]"), ("spot_lifetime", "life [d]"), ("kappa", "shear"), ("inc", "inc. [rad]"))
"""The parameters whose draws are shown, with their labels."""
BINS = 14
_WIDE = 5.0
"""Draws that span more than this factor have a logarithmic axis."""


def corner(figure: Figure, place: tuple[float, float, float, float], row: dict[str, Any]) -> None:
    """Draw the draws of a star against one another, each parameter's own distribution on the diagonal.

    Args:
        figure: where.
        place: left, bottom, width and height, as fractions of the figure.
        row: the star's catalog columns; without draws of a parameter there is nothing to see.
    """
    shown = [one for one in PARAMETERS if f"{one[0]}_draws" in row and not _is_nobodys(one[0], row)]
    drawn = [(row[f"{name}_draws"], float(row[name]), label) for name, label in shown]
    left, bottom, width, height = place
    n = len(drawn)
    ranges = [_range(draws, value) for draws, value, _ in drawn]
    for i, (down, value, below) in enumerate(drawn):
        for j, (across, _, _) in enumerate(drawn[: i + 1]):
            cell = left + j * width / n, bottom + (n - 1 - i) * height / n, 0.94 * width / n, 0.94 * height / n
            axes = figure.add_axes(cell)
            _scale(axes, "x", ranges[j])
            if i == j:
                _distribution(axes, down, value, ranges[i])
            else:
                _scale(axes, "y", ranges[i])
                axes.plot(across, down, ".", color=DATA, ms=1.6, mew=0, alpha=0.7, rasterized=True)
            _labels(axes, drawn[j][2] if i == n - 1 else "", below if j == 0 and i > 0 else "")
    if n:
        figure.text(left, bottom + height * 1.02, "Posterior draws", size=8)


def _is_nobodys(name: str, row: dict[str, Any]) -> bool:
    """Whether a parameter is a lifetime of spots that were not detected."""
    return name == "spot_lifetime" and row.get("lifetime_flag") == LifetimeFlag.NOT_DETECTED


def _range(draws: np.ndarray, value: float) -> tuple[float, float]:
    low, high = np.nanpercentile([*np.nanpercentile(draws, [1, 99]), value], [0, 100])
    if low > 0 and high > _WIDE * low:
        return low / 1.1, high * 1.1
    margin = 0.08 * (high - low) or max(abs(value), 1e-9) * 1e-3
    return low - margin, high + margin


def _is_wide(bounds: tuple[float, float]) -> bool:
    return bounds[0] > 0 and bounds[1] > _WIDE * bounds[0]


def _scale(axes: Axes, which: str, bounds: tuple[float, float]) -> None:
    place = axes.xaxis if which == "x" else axes.yaxis
    if _is_wide(bounds):
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        ends = np.sqrt(bounds[0] * bounds[1]) * (bounds[1] / bounds[0]) ** np.array([-0.25, 0.25])
    else:
        ends = np.array([0.75 * bounds[0] + 0.25 * bounds[1], 0.25 * bounds[0] + 0.75 * bounds[1]])
    (axes.set_xlim if which == "x" else axes.set_ylim)(*bounds)
    digits = max(3, int(np.ceil(np.log10(abs(ends[1]) / max(ends[1] - ends[0], 1e-300)))) + 1)
    place.set_ticks(ends.tolist(), [f"{float(f'{end:.{digits}g}'):g}" for end in ends])
    place.set_ticks([], minor=True)


def _distribution(axes: Axes, draws: np.ndarray, value: float, bounds: tuple[float, float]) -> None:
    edges = np.geomspace(*bounds, BINS) if _is_wide(bounds) else np.linspace(*bounds, BINS)
    counts, _ = np.histogram(draws, edges)
    axes.stairs(counts, edges, color=DATA, lw=0.8)
    if np.isfinite(value):  # a limit is no value
        axes.axvline(value, color=MODEL, lw=0.8)
    axes.set(yticks=[], ylim=(0, 1.15 * max(counts.max(), 1)))


def _labels(axes: Axes, below: str, beside: str) -> None:
    axes.tick_params(which="both", top=False, right=False, labelsize=5, pad=1, length=1.5)
    axes.tick_params(labelbottom=bool(below), labelleft=bool(beside))
    axes.tick_params(axis="x", rotation=35)
    axes.set_xlabel(below, size=6, labelpad=1)
    axes.set_ylabel(beside, size=6, labelpad=1)
