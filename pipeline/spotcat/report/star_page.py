"""The page of one star: light curve and residuals, GP periodogram, autocorrelation, rotations, posterior, words."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.catalog.escapes import as_line, shortened
from spotcat.report.corner import corner
from spotcat.report.fitted import FittedStar, Piece, autocorrelation, load_fitted
from spotcat.report.panels import rotations, with_errors
from spotcat.report.style import DATA, GUIDE, MODEL, log_periods, picture
from spotcat.status import Flag, LeftOut, LifetimeFlag, Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LAGS = 6
"""Rotations in the autocorrelation."""
_LINE = 0.098
"""Distance of two lines of text, as a fraction of their panel."""
_LETTERS = 40
"""Letters of a name that are shown; of a longer one the middle is left out."""
_COLUMN, _FOOT = 52, 5
"""Letters in a line and lines of the words at the foot of the page."""
_WIDTH, _HEIGHT = 7.25, 9.9
"""Size of the page [inch]; the axes end a quarter of an inch before its right edge, where half a label still fits."""


def show(catalog_path: str | Path, name: str | int, out: str | Path, published: float | None = None) -> Path:
    """Draw one star of a finished run.

    Args:
        catalog_path: the catalog in its run folder, with the light curves beside it.
        name: the star's name, such as ``KIC 10002792``, or star id.
        out: the file to write; PNG, PDF or SVG by its suffix.
        published: a period from elsewhere to mark [d].

    Returns:
        The file.

    Raises:
        InputError: no such catalog or star, the light curves are not beside it, or the star was not fitted.
        RunError: the file cannot be written.
    """
    return draw(load_fitted(Path(catalog_path), name), out, published)


def draw(star: FittedStar, out: str | Path, published: float | None = None) -> Path:
    """Draw one star that is in memory.

    Args:
        star: the star.
        out: the file to write; PNG, PDF or SVG by its suffix.
        published: a period from elsewhere to mark [d].

    Returns:
        The file.

    Raises:
        RunError: the file cannot be written.
    """
    with picture(Path(out), _WIDTH, _HEIGHT) as figure:
        _head(figure, star)
        _light_curve(figure, star)
        _detail(figure.add_axes(_place(0.6, 2.96, 6.39, 1.45)), star)
        _periodogram(figure.add_axes(_place(0.6, 5.02, 2.85, 1.78)), star, published)
        _autocorrelation(figure.add_axes(_place(4.14, 5.02, 2.85, 1.78)), star)
        rotations(figure.add_axes(_place(0.6, 7.4, 1.5, 1.85)), star)
        corner(figure, _place(2.6, 7.4, 1.95, 1.9), star.row)
        _numbers(figure.add_axes(_place(4.78, 7.3, 2.2, 2.05)), star, published)
    return Path(out)


def _place(left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
    """A place given in inches from the left and the top of the page, as matplotlib wants it."""
    return left / _WIDTH, 1 - (top + height) / _HEIGHT, width / _WIDTH, height / _HEIGHT


def _head(figure: Figure, star: FittedStar) -> None:
    row = star.row
    high = 1 - 0.24 / _HEIGHT
    segments = "1 segment" if row["n_segments"] == 1 else f"{row['n_segments']} segments"
    words = f"{row['mission']}, {row['n_points']:,} measurements in {segments}, bins of {_duration(star.dt)}"
    right = figure.text(6.99 / _WIDTH, high, words, ha="right", color="0.35")
    shown = shortened(as_line(row["name"]), _LETTERS)
    name = figure.text(0.6 / _WIDTH, high, shown, size=11, weight="bold", parse_math=False)
    width, room = name.get_window_extent().width, right.get_window_extent().x0 - name.get_window_extent().x0
    name.set_fontsize(11 * min(1.0, 0.97 * room / max(width, 1.0)))
    left_out = fill(_left_out(row), _COLUMN)
    flags = "; ".join(_flags(row)) or "no flags"
    flags = fill(flags, _COLUMN, max_lines=_FOOT - len(left_out.splitlines()), placeholder=" …")
    foot: dict[str, Any] = {"size": 6, "style": "italic", "linespacing": 1.3, "va": "bottom"}
    figure.text(4.78 / _WIDTH, 0.06 / _HEIGHT, f"{flags}\n{left_out}".rstrip(), **foot)


def _flags(row: dict[str, Any]) -> list[str]:
    words = [Status(row["status"]).words, *Flag(int(row["flags"])).words]
    if row["lifetime_flag"] == LifetimeFlag.DEGENERATE_WITH_SHEAR:
        words.append("spot lifetime degenerate with shear")
    return [word for word in words if word]


def _left_out(row: dict[str, Any]) -> str:
    """How many measurements each step of cleaning took; nothing of steps that took none."""
    steps = (
        ("n_masked", "by the quality mask"),
        *((kind.column, f"as {kind.words}") for kind in LeftOut if kind),
        ("n_in_transit", "in transit"),
        ("n_placeholder", "as placeholders"),
    )
    # A catalog from before these columns has none of them.
    words = [f"{row[name]:,} {why}" for name, why in steps if row.get(name)]
    return f"left out: {', '.join(words)}" if words else ""


def _duration(days: float) -> str:
    minutes = days * 1440
    return f"{minutes:.3g} min" if minutes < 120 else f"{minutes / 60:.3g} h"


def _light_curve(figure: Figure, star: FittedStar) -> None:
    """The whole light curve and below it the residuals, one axes each for every stretch."""
    stretches = star.stretches
    left, bottom, width, height = _place(0.6, 0.33, 6.39, 2.2)
    lengths = np.array([piece.last - piece.first + 1 for piece in stretches], float)
    shares = np.maximum(lengths, 0.08 * lengths.sum())
    sides: dict[str, float] = {"left": left, "right": left + width, "bottom": bottom, "top": bottom + height}
    ratios: dict[str, Any] = {"width_ratios": shares.tolist(), "height_ratios": [3.6, 1]}
    grid = figure.add_gridspec(2, len(stretches), **sides, wspace=0.04, hspace=0.06, **ratios)
    parts: list[Axes] = []
    under: list[Axes] = []
    for i, piece in enumerate(stretches):
        axes = figure.add_subplot(grid[0, i], sharey=parts[0] if parts else None)
        below = figure.add_subplot(grid[1, i], sharex=axes, sharey=under[0] if under else None)
        parts.append(axes)
        under.append(below)
        axes.axvspan(star.time[star.detail.first], star.time[star.detail.last], color="0.92", lw=0, zorder=0)
        _draw_flux(axes, star, piece)
        _draw_residuals(below, star, piece)
        for one in (axes, below):
            _join(one, is_first=i == 0, is_last=i == len(stretches) - 1)
        axes.tick_params(axis="x", which="both", labelbottom=False)
    factor, unit = _unit(star)
    low, high = (factor * star.scale * bound for bound in _flux_range(star))
    parts[0].set(ylabel=f"relative flux [{unit}]", ylim=(low - 0.06 * (high - low), high + 0.06 * (high - low)))
    spread = 1.15 * factor * star.scale * max(float(np.percentile(np.abs(star.residual), 99)), 1e-9)
    under[0].set(ylabel="residual", ylim=(-spread, spread))


def _join(axes: Axes, *, is_first: bool, is_last: bool) -> None:
    """Leave out the spines between two stretches and mark the break."""
    axes.spines["left"].set_visible(is_first)
    axes.spines["right"].set_visible(is_last)
    axes.tick_params(axis="y", which="both", left=is_first, right=is_last, labelleft=is_first)
    slash: dict[str, Any] = {"marker": [(-0.6, -1), (0.6, 1)], "ms": 6, "color": "k", "mew": 0.6, "clip_on": False}
    for x, is_end in ((0, is_first), (1, is_last)):
        if not is_end:
            axes.plot([x, x], [0, 1], ls="", transform=axes.transAxes, **slash)


def _detail(axes: Axes, star: FittedStar) -> None:
    _draw_flux(axes, star, star.detail)
    axes.set(xlabel="time [d]", ylabel=f"relative flux [{_unit(star)[1]}]")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0, numpoints=3)


def _unit(star: FittedStar) -> tuple[float, str]:
    return (1e2, "%") if star.scale >= 3e-3 else (1e3, "‰")


def _flux_range(star: FittedStar) -> tuple[float, float]:
    """Lowest and highest flux drawn in place, in units of the scatter; flares must not flatten the rest."""
    y = star.grid.y[star.seen]
    low, high = np.percentile(y, [1, 99])
    margin = 0.5 * (high - low)
    return max(y.min(), low - margin), min(y.max(), high + margin)


def _draw_flux(axes: Axes, star: FittedStar, piece: Piece) -> None:
    """Measurements and prediction from one grid point to another, segment by segment."""
    factor = _unit(star)[0] * star.scale
    here = (star.seen >= piece.first) & (star.seen <= piece.last)
    seen, beside = star.seen[here], star.beside[here]
    y, segment = star.grid.y[seen], star.grid.segment[seen]
    axes.plot(star.time[seen], factor * y, ".", color=DATA, ms=3, mew=0, label="binned flux", zorder=3)
    low, high = _flux_range(star)
    for bound, beyond, mark in ((low, y < low, "v"), (high, y > high, "^")):
        axes.plot(star.time[seen[beyond]], np.full(beyond.sum(), factor * bound), mark, color=DATA, ms=3, mew=0)
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


def _draw_residuals(axes: Axes, star: FittedStar, piece: Piece) -> None:
    """What the fit leaves from one grid point to another, with the scatter of the fitted white noise."""
    factor = _unit(star)[0] * star.scale
    here = (star.seen >= piece.first) & (star.seen <= piece.last)
    noise = factor * np.sqrt(star.prediction.white)
    axes.axhspan(-noise, noise, color=MODEL, alpha=0.15, lw=0, zorder=0)
    axes.axhline(0, color=MODEL, lw=0.6, zorder=1)
    axes.plot(star.time[star.seen[here]], factor * star.residual[here], ".", color=DATA, ms=2, mew=0)


def _periodogram(axes: Axes, star: FittedStar, published: float | None) -> None:
    prot, low, high = star.row["prot"], star.period[0], star.period[-1]
    axes.plot(star.period, star.gain, color=DATA)
    axes.axhline(0, color=GUIDE, lw=0.5, zorder=0)
    bottom, top = _gain_range(star.gain)
    axes.set(xscale="log", xlim=(low, high), ylim=(bottom - 0.03 * (top - bottom), top + 0.16 * (top - bottom)))
    across = axes.get_xaxis_transform()
    for factor, style, label in ((1.0, "-", "P"), (0.5, "--", "P/2"), (2.0, ":", "2P")):
        if 1.05 * low < factor * prot < high / 1.05:
            axes.axvline(factor * prot, 0, 0.92, color=MODEL, ls=style, lw=0.8, zorder=0)
            axes.text(factor * prot, 0.93, label, transform=across, ha="center", color=MODEL, size=7)
    if published is not None:
        axes.plot(published, 0.03, "^", ms=5, mfc="white", mec="k", mew=0.8, transform=across, zorder=4)
    log_periods(axes.xaxis)
    axes.set(xlabel="period [d]", ylabel="gain in ln likelihood", title="GP periodogram")


def _gain_range(gain: np.ndarray) -> tuple[float, float]:
    """Lowest and highest gain in the picture: the best one, none at all, and nearly all of the trial periods."""
    known = gain[np.isfinite(gain)] if np.isfinite(gain).any() else np.zeros(1)
    top = max(float(known.max()), 0.0)
    # Periods that are worse than none at all say little by how much, unless nearly all of them are.
    bottom = max(float(known.min()), min(-0.3 * top, float(np.percentile(known, 10))))
    return min(bottom, 0.0), max(top, min(bottom, 0.0) + 1.0)


def _autocorrelation(axes: Axes, star: FittedStar) -> None:
    pairs, data, expected = autocorrelation(star)
    longest = min(int(_LAGS * star.row["prot"] / star.dt), pairs.size // 2)
    lags = np.arange(1, max(longest, 2) + 1)
    lags = lags[pairs[lags] > 1]
    axes.plot(lags * star.dt, data[lags], ".", color=DATA, ms=3.5, mew=0, label="data")
    axes.plot(lags * star.dt, expected[lags], color=MODEL, label="fitted kernel")
    for cycle in np.arange(star.row["prot"], lags[-1] * star.dt, star.row["prot"]):
        axes.axvline(cycle, 0, 0.9, color=GUIDE, lw=0.5, zorder=0)
    axes.axhline(0, color=GUIDE, lw=0.5, zorder=0)
    low, high = axes.get_ylim()
    axes.set(xlim=(0, lags[-1] * star.dt), ylim=(low, high + 0.12 * (high - low)))
    axes.set(xlabel="lag [d]", title="Autocorrelation")
    axes.legend(loc="upper center", ncols=2, borderaxespad=0.2, columnspacing=1.2, handlelength=1.4)


def _numbers(axes: Axes, star: FittedStar, published: float | None) -> None:
    row = star.row
    lines = [
        ("Rotation P", with_errors(row, "prot", "d")),
        ("Equator", with_errors(row, "peq", "d")),
        ("Published (△)", "" if published is None else f"{published:g} d"),
        ("Lomb–Scargle", f"{row['p_ls']:.4g} d"),
        ("Autocorrelation", f"{row['p_acf']:.4g} d" if np.isfinite(row["p_acf"]) else "no peak"),
        ("Gain in ln L", f"{row['lnl_rotation']:.1f}"),
        ("Spot lifetime", _lifetime(row)),
        ("Shear", with_errors(row, "kappa", "")),
        ("Inclination", with_errors(row, "inc", "rad")),
        ("Range 5–95 %", f"{100 * row['rvar']:.3g} %"),
    ]
    lines = [line for line in lines if line[1]]
    axes.axis("off")
    for i, (label, value) in enumerate(lines):
        axes.text(0.0, 0.96 - _LINE * i, label, color="0.35")
        axes.text(0.47, 0.96 - _LINE * i, value)


def _lifetime(row: dict[str, Any]) -> str:
    """The lifetime of spots, or the limit that was found."""
    if row["lifetime_flag"] == LifetimeFlag.LOWER_LIMIT:
        return f"> {row['spot_lifetime_lower']:.3g} d"
    if row["lifetime_flag"] == LifetimeFlag.UPPER_LIMIT:
        return f"< {row['spot_lifetime_upper']:.3g} d"
    return with_errors(row, "spot_lifetime", "d")
