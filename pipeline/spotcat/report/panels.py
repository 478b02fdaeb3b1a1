"""Panels of a star beside its light curve: rotations one by one, GP periodogram; and a number with its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.report.fitted import FittedStar
from spotcat.report.flux import unit
from spotcat.report.style import DATA, GUIDE, MODEL, log_periods
from spotcat.status import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PHASES = 120
"""Phases at which a rotation is drawn."""
_MEANS = 20
"""Parts of a period in which a folded light curve is averaged."""


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


def fold(axes: Axes, star: FittedStar, period: float, color: str) -> None:
    """The light curve by phase, two periods side by side, with its mean in twentieths of a period.

    Args:
        axes: where to.
        star: the star.
        period: period [d].
        color: of the mean.
    """
    phase = ((star.time[star.seen] - star.time[star.seen[0]]) / period) % 1
    factor, name = unit(star)
    flux = factor * star.scale * (star.grid.y[star.seen] - star.beside)
    twice = np.r_[phase, phase + 1]
    axes.plot(twice, np.r_[flux, flux], ".", color=DATA, ms=1.5, mew=0, alpha=0.5, rasterized=True)
    part = np.minimum((phase * _MEANS).astype(int), _MEANS - 1)
    count = np.bincount(part, minlength=_MEANS)
    sums = np.bincount(part, flux, minlength=_MEANS)
    mean = np.divide(sums, count, out=np.full(_MEANS, np.nan), where=count > 0)
    middle = (np.arange(2 * _MEANS) + 0.5) / _MEANS
    axes.plot(middle, np.r_[mean, mean], color=color, lw=1.2)
    low, high = np.percentile(flux, [1, 99])
    low, high = min(low, float(np.nanmin(mean))), max(high, float(np.nanmax(mean)))
    edge = 0.1 * (high - low)
    axes.set(xlim=(0, 2), ylim=(low - edge, high + edge), xlabel="phase", ylabel=f"relative flux [{name}]")


def with_errors(row: dict[str, Any], name: str, unit: str) -> str:
    """A value with its distances to the 16th and 84th percentile: two digits of the larger one, one of the smaller."""
    value, low, high = row[name], row[f"{name}_lower"], row[f"{name}_upper"]
    below, above = max(value - low, 0.0), max(high - value, 0.0)
    place = [np.floor(np.log10(error)) for error in (below, above) if error > 0] or [-4]
    digits = int(np.clip(max(1 - max(place), -min(place)), 0, 5))
    return f"${value:.{digits}f}^{{+{above:.{digits}f}}}_{{-{below:.{digits}f}}}$ {unit}"


def periodogram(axes: Axes, star: FittedStar, published: float | None) -> None:
    """Gain in ln likelihood against trial period [d], with the period found, its half and its double.

    A period that is no more than a candidate has a question mark.

    Args:
        axes: where to.
        star: the star.
        published: a period from elsewhere to mark with a triangle [d].
    """
    prot, low, high = star.row["prot"], star.period[0], star.period[-1]
    mark = "?" if "verdict" in star.row and Verdict(star.row["verdict"]).is_candidate else ""
    axes.plot(star.period, star.gain, color=DATA)
    axes.axhline(0, color=GUIDE, lw=0.5, zorder=0)
    bottom, top = gain_range(star.gain)
    axes.set(xscale="log", xlim=(low, high), ylim=(bottom - 0.03 * (top - bottom), top + 0.16 * (top - bottom)))
    across = axes.get_xaxis_transform()
    for factor, style, label in ((1.0, "-", "P"), (0.5, "--", "P/2"), (2.0, ":", "2P")):
        if 1.05 * low < factor * prot < high / 1.05:
            axes.axvline(factor * prot, 0, 0.89, color=MODEL, ls=style, lw=0.8, zorder=0)
            axes.text(factor * prot, 0.98, label + mark, transform=across, ha="center", va="top", color=MODEL, size=7)
    if published is not None:
        axes.plot(published, 0.03, "^", ms=5, mfc="white", mec="k", mew=0.8, transform=across, zorder=4)
    log_periods(axes.xaxis)
    axes.set(xlabel="period [d]", ylabel="gain in ln likelihood", title="GP periodogram")


def gain_range(gain: np.ndarray) -> tuple[float, float]:
    """Lowest and highest gain in the picture: the best one, none at all, and nearly all of the trial periods."""
    known = gain[np.isfinite(gain)] if np.isfinite(gain).any() else np.zeros(1)
    top = max(float(known.max()), 0.0)
    # Periods that are worse than none at all say little by how much, unless nearly all of them are.
    bottom = max(float(known.min()), min(-0.3 * top, float(np.percentile(known, 10))))
    return min(bottom, 0.0), max(top, min(bottom, 0.0) + 1.0)
