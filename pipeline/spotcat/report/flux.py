"""Light curves as the pages of stars show them: bins, prediction, residuals, and what cleaning left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.report.fitted import FittedStar, Piece
from spotcat.report.style import DATA, LEFT_OUT, MODEL
from spotcat.status import LeftOut

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Place = tuple[float, float, float, float]
"""Left, bottom, width and height as fractions of a figure."""
_NARROWEST = 0.08
"""Width of the shortest stretch beside that of all."""
_HALF_NUMBER = 0.17
"""Half the width of a number at the axis of time [inch]."""


def light_curve(
    figure: Figure, star: FittedStar, place: Place, *, residuals: bool = True, above: float = 0.0
) -> list[Axes]:
    """The whole light curve, one axes for each stretch between long gaps, with what was left out and why.

    The scale is that of the measurements used; what lies beyond is drawn at the edge as a triangle.  Above it, outside
    of `place`, a line counts what was left out by kind.

    Args:
        figure: where to.
        star: the star.
        place: all of it.
        residuals: also draw what the fit leaves, below, and shade what the page enlarges.
        above: distance of the line that counts from the light curve [inch].

    Returns:
        The axes of the light curve, from left to right.
    """
    stretches = star.stretches
    owner = _nearest(star, stretches)
    spans = [_span(star, piece, owner == i) for i, piece in enumerate(stretches)]
    lengths = np.array([last - first for first, last in spans])
    lengths = np.maximum(lengths, _NARROWEST * lengths.sum())
    left, bottom, width, height = place
    sides: dict[str, float] = {"left": left, "right": left + width, "bottom": bottom, "top": bottom + height}
    ratios: dict[str, Any] = {"width_ratios": lengths.tolist()}
    rows = 1 + residuals
    ratios["height_ratios"] = [3.6, 1][:rows]
    grid = figure.add_gridspec(rows, len(stretches), **sides, wspace=0.04, hspace=0.06, **ratios)
    parts: list[Axes] = []
    under: list[Axes] = []
    for i, (piece, span) in enumerate(zip(stretches, spans, strict=True)):
        axes = figure.add_subplot(grid[0, i], sharey=parts[0] if parts else None)
        parts.append(axes)
        draw_flux(axes, star, piece)
        draw_left_out(axes, star, owner == i, flux_range(star))
        if residuals:
            under.append(figure.add_subplot(grid[1, i], sharex=axes, sharey=under[0] if under else None))
            axes.axvspan(star.time[star.detail.first], star.time[star.detail.last], color="0.92", lw=0, zorder=0)
            _draw_residuals(under[-1], star, piece)
            axes.tick_params(axis="x", which="both", labelbottom=False)
        ends = {"is_first": i == 0, "is_last": i == len(stretches) - 1}
        for one in (axes, *under[i:]):
            _join(one, **ends)
        axes.set_xlim(*span)
        _tick(axes, width * figure.get_figwidth() * lengths[i] / lengths.sum(), **ends)
    factor, name = unit(star)
    low, high = (factor * star.scale * bound for bound in flux_range(star))
    parts[0].set(ylabel=f"relative flux [{name}]", ylim=(low - 0.06 * (high - low), high + 0.06 * (high - low)))
    if under:
        spread = 1.15 * factor * star.scale * max(float(np.percentile(np.abs(star.residual), 99)), 1e-9)
        under[0].set(ylabel="residual", ylim=(-spread, spread))
    _count_left_out(figure, star, (place[0], place[1] + place[3] + above / figure.get_figheight()))
    return parts


def unit(star: FittedStar) -> tuple[float, str]:
    """Factor and symbol of the unit in which a star's flux is drawn."""
    return (1e2, "%") if star.scale >= 3e-3 else (1e3, "‰")


def flux_range(star: FittedStar) -> tuple[float, float]:
    """Lowest and highest flux drawn in place, in units of the scatter; flares must not flatten the rest."""
    y = star.grid.y[star.seen]
    low, high = np.percentile(y, [1, 99])
    margin = 0.5 * (high - low)
    return max(y.min(), low - margin), min(y.max(), high + margin)


def draw_flux(axes: Axes, star: FittedStar, piece: Piece) -> None:
    """Measurements and prediction from one grid point to another, segment by segment."""
    factor = unit(star)[0] * star.scale
    here = (star.seen >= piece.first) & (star.seen <= piece.last)
    seen, beside = star.seen[here], star.beside[here]
    y, segment = star.grid.y[seen], star.grid.segment[seen]
    look = {"marker": ".", "color": DATA, "ms": 3, "label": "binned flux"}
    _draw_points(axes, star, (star.time[seen], y), flux_range(star), look)
    fine = star.time[piece.first] + np.arange(piece.mean.size) * star.dt / piece.per_step
    for number in np.unique(segment):
        own = segment == number
        begin, end = (seen[own][[0, -1]] - piece.first) * piece.per_step
        time, sd = fine[begin : end + 1], factor * piece.sd[begin : end + 1]
        mean = factor * (piece.mean[begin : end + 1] + np.interp(time, star.time[seen[own]], beside[own]))
        # Labels of all but one segment begin with an underscore, which the legend leaves out.
        hidden = "" if number == segment[0] else "_"
        axes.plot(time, mean, color=MODEL, lw=0.8, label=f"{hidden}GP mean", zorder=2)
        axes.fill_between(time, mean - sd, mean + sd, color=MODEL, alpha=0.3, lw=0, label=f"{hidden}1σ", zorder=1)
    axes.set_xlim(star.time[piece.first] - star.dt, star.time[piece.last] + star.dt)


def draw_left_out(axes: Axes, star: FittedStar, which: np.ndarray, bounds: tuple[float, float]) -> None:
    """Measurements that cleaning left out, faint, in the colour of the cause.

    Args:
        axes: where to.
        star: the star.
        which: which of ``star.removed`` are drawn, bool.
        bounds: lowest and highest flux drawn in place, in units of the scatter; what lies beyond is drawn there.
    """
    removed = star.removed
    for kind, look in _looks(star).items():
        own = which & (removed.why == kind)
        _draw_points(axes, star, (removed.time[own], removed.flux[own]), bounds, look | {"alpha": 0.6, "zorder": 1.5})


def _draw_points(
    axes: Axes,
    star: FittedStar,
    points: tuple[np.ndarray, np.ndarray],
    bounds: tuple[float, float],
    look: dict[str, Any],
) -> None:
    """Points by time [d] and flux in units of the scatter; those out of bounds as triangles at the edges."""
    factor = unit(star)[0] * star.scale
    time, y = points
    low, high = bounds
    inside = (y >= low) & (y <= high)
    own: dict[str, Any] = {"zorder": 3, "mew": 0, "ls": "", **look}
    axes.plot(time[inside], factor * y[inside], **own)
    own |= {"label": "_beyond", "mew": 0, "ms": 3}
    for bound, beyond, mark in ((low, y < low, "v"), (high, y > high, "^")):
        axes.plot(time[beyond], np.full(np.count_nonzero(beyond), factor * bound), **own | {"marker": mark})


def _looks(star: FittedStar) -> dict[LeftOut, dict[str, Any]]:
    """How the measurements left out of a star are marked, by their kind; no kind that it lacks."""
    return {
        LeftOut(kind): {"marker": mark, "color": color, "ms": 2.6, "mew": 0.6 if mark in "+x" else 0}
        for kind, (color, mark) in LEFT_OUT.items()
        if (star.removed.why == kind).any()
    }


def _count_left_out(figure: Figure, star: FittedStar, corner: tuple[float, float]) -> None:
    """One line above a light curve: how many measurements were left out as what."""
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], ls="", label="points left out:")]
    for kind, look in _looks(star).items():
        label = f"{np.count_nonzero(star.removed.why == kind):,} {kind.short}"
        entries.append(Line2D([], [], **look | {"ls": "", "ms": 4, "mew": 1.5 * look["mew"], "label": label}))
    if len(entries) > 1:
        narrow: dict[str, Any] = {"handlelength": 0.8, "handletextpad": 0.3, "columnspacing": 1.0, "borderpad": 0.2}
        narrow |= {"ncols": len(entries), "loc": "lower left", "bbox_to_anchor": corner}
        figure.legend(handles=entries, borderaxespad=0, **narrow)


def _nearest(star: FittedStar, stretches: list[Piece]) -> np.ndarray:
    """The stretch beside which each measurement left out was made, shape (n,)."""
    ends = star.time[[piece.last for piece in stretches[:-1]]]
    begins = star.time[[piece.first for piece in stretches[1:]]]
    return np.searchsorted(0.5 * (ends + begins), star.removed.time)


def _span(star: FittedStar, piece: Piece, own: np.ndarray) -> tuple[float, float]:
    """Times [d] between which a stretch is drawn, with what was left out before and behind its measurements.

    A segment of which nothing is used may lie anywhere, years away too, and makes no stretch longer.
    """
    near = own & np.isin(star.removed.segment, star.grid.segment[star.seen])
    times = np.r_[star.time[[piece.first, piece.last]], star.removed.time[near]]
    return float(times.min()) - star.dt, float(times.max()) + star.dt


def _tick(axes: Axes, width: float, *, is_first: bool, is_last: bool) -> None:
    """Put numbers at the axis of time so that they touch none of their own and of the neighbouring stretches.

    Args:
        axes: one stretch; its limits are set.
        width: of the axes [inch].
        is_first: whether no stretch is on its left.
        is_last: whether none is on its right.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    first, last = axes.get_xlim()
    edge = _HALF_NUMBER / width * (last - first)
    low, high = -np.inf if is_first else first + edge, np.inf if is_last else last - edge
    axes.xaxis.set_major_locator(MaxNLocator(max(int(width / 0.6), 1), steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.10g}" if low <= x <= high else ""))


def _join(axes: Axes, *, is_first: bool, is_last: bool) -> None:
    """Leave out the spines between two stretches and mark the break."""
    axes.spines["left"].set_visible(is_first)
    axes.spines["right"].set_visible(is_last)
    axes.tick_params(axis="y", which="both", left=is_first, right=is_last, labelleft=is_first)
    slash: dict[str, Any] = {"marker": [(-0.6, -1), (0.6, 1)], "ms": 6, "color": "k", "mew": 0.6, "clip_on": False}
    for x, is_end in ((0, is_first), (1, is_last)):
        if not is_end:
            axes.plot([x, x], [0, 1], ls="", transform=axes.transAxes, **slash)


def _draw_residuals(axes: Axes, star: FittedStar, piece: Piece) -> None:
    """What the fit leaves from one grid point to another, with the scatter of the fitted white noise."""
    factor = unit(star)[0] * star.scale
    here = (star.seen >= piece.first) & (star.seen <= piece.last)
    noise = factor * np.sqrt(star.prediction.white)
    axes.axhspan(-noise, noise, color=MODEL, alpha=0.15, lw=0, zorder=0)
    axes.axhline(0, color=MODEL, lw=0.6, zorder=1)
    axes.plot(star.time[star.seen[here]], factor * star.residual[here], ".", color=DATA, ms=2, mew=0)
