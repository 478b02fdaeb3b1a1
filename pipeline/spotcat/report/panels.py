"""Panels of the star page that show rotations one by one and what the catalog stores of the posterior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.report.fitted import FittedStar
from spotcat.report.style import DATA, MODEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PHASES = 120
"""Phases at which a rotation is drawn."""

_WIDE = 5.0
"""An interval whose ends are further apart than this factor is drawn on a logarithmic axis."""

PARAMETERS = (
    ("prot", "P [d]", np.inf),
    ("peq", r"$P_\mathrm{eq}$ [d]", np.inf),
    ("spot_lifetime", "life [d]", np.inf),
    ("kappa", "shear", 1.0),
    ("inc", "inc. [rad]", np.pi / 2),
)
"""The parameters whose posterior is drawn, with their labels and their upper ends; none is negative."""


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
    offset = star.prediction.offset[star.grid.segment[place]]
    seen = inside & (star.grid.mask[place] > 0)
    flux = np.where(seen, star.grid.y[place] - offset, 0.0)
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


def marginals(panels: Sequence[Axes], row: dict[str, Any]) -> None:
    """The posterior of each main parameter as its value and 68 % interval in the catalog tell: two half normals.

    The catalog stores no correlations, so there is no corner to draw.

    Args:
        panels: one axes for each of `PARAMETERS`.
        row: the star's catalog columns.
    """
    for axes, (name, label, highest) in zip(panels, PARAMETERS, strict=True):
        value, low, high = (float(row[f"{name}{end}"]) for end in ("", "_lower", "_upper"))
        _marginal(axes, value, low, high, highest)
        axes.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=4)
    panels[0].set_title("Posterior, 68 % shaded")


def _marginal(axes: Axes, value: float, low: float, high: float, highest: float) -> None:
    axes.set(yticks=[], ylim=(0, 1.1))
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(which="both", top=False, right=False, labelsize=6.5, pad=1.5, length=2)
    below, above = value - low, high - value
    if not (np.isfinite([below, above]).all() and max(below, above) > 0):
        axes.set(xticks=[])
        axes.text(0.5, 0.5, "no interval", transform=axes.transAxes, ha="center", va="center", color="0.5")
        return
    is_wide = high > _WIDE * low > 0
    if is_wide:
        axes.set_xscale("log")
    stretch, back = (np.log, np.exp) if is_wide else (np.positive, np.positive)
    below, above = stretch(value) - stretch(low), stretch(high) - stretch(value)
    # A mode may lie outside its interval where the posterior is skew.
    widths = [max(width, 0.02 * max(below, above)) for width in (below, above)]
    reach = 1.5 if is_wide else 3.0
    ends = stretch(value) - reach * widths[0], min(stretch(value) + reach * widths[1], stretch(highest))
    u = np.linspace(ends[0] if is_wide else max(ends[0], 0.0), ends[1], 300)
    x, density = back(u), np.exp(-0.5 * ((u - stretch(value)) / np.where(u < stretch(value), *widths)) ** 2)
    axes.plot(x, density, color=DATA, lw=0.8)
    axes.fill_between(x, density, where=((x >= low) & (x <= high)).tolist(), color="0.8", lw=0)
    axes.axvline(value, 0, 1 / 1.1, color=MODEL, lw=0.8)
    axes.margins(x=0)
    if not is_wide:
        axes.locator_params(axis="x", nbins=4)
    axes.minorticks_off()


def with_errors(row: dict[str, Any], name: str, unit: str) -> str:
    """A value with its distances to the 16th and 84th percentile: two digits of the larger one, one of the smaller."""
    value, low, high = row[name], row[f"{name}_lower"], row[f"{name}_upper"]
    below, above = max(value - low, 0.0), max(high - value, 0.0)
    place = [np.floor(np.log10(error)) for error in (below, above) if error > 0] or [-4]
    digits = int(np.clip(max(1 - max(place), -min(place)), 0, 5))
    return f"${value:.{digits}f}^{{+{above:.{digits}f}}}_{{-{below:.{digits}f}}}$ {unit}"
