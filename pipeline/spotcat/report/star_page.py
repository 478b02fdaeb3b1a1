"""The page of one star: light curve and residuals, GP periodogram, autocorrelation, rotations, posterior, words."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.catalog.escapes import as_line, shortened
from spotcat.report.corner import corner
from spotcat.report.fitted import FittedStar, autocorrelation, load_fitted
from spotcat.report.flux import draw_flux, draw_left_out, light_curve, unit
from spotcat.report.panels import periodogram, rotations, with_errors
from spotcat.report.style import DATA, GUIDE, MODEL, picture
from spotcat.status import Flag, LeftOut, LifetimeFlag, Status, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LAGS = 6
"""Rotations in the autocorrelation."""
_LINE = 0.089
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
        catalog_path: the catalog in its run folder, with the light curves beside it; or that folder.
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
        # Room above the panel for what its marks mean.
        top = 0.5 if star.removed.time.size else 0.33
        light_curve(figure, star, _place(0.6, top, 6.39, 2.53 - top))
        _detail(figure.add_axes(_place(0.6, 2.96, 6.39, 1.45)), star)
        periodogram(figure.add_axes(_place(0.6, 5.02, 2.85, 1.78)), star, published)
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


def _detail(axes: Axes, star: FittedStar) -> None:
    draw_flux(axes, star, star.detail)
    factor, name = unit(star)
    (first, last), (low, high) = axes.get_xlim(), axes.get_ylim()
    edge = 0.04 * (high - low)
    bounds = (low + edge) / (factor * star.scale), (high - edge) / (factor * star.scale)
    draw_left_out(axes, star, (star.removed.time >= first) & (star.removed.time <= last), bounds)
    axes.set(xlabel="time [d]", ylabel=f"relative flux [{name}]", xlim=(first, last), ylim=(low, high))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0, numpoints=3)


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
    verdict = Verdict(row["verdict"]) if "verdict" in row else None
    period = "Candidate P" if verdict is not None and verdict.is_candidate else "Rotation P"
    lines = [
        ("Verdict", verdict.words if verdict is not None else ""),
        (period, with_errors(row, "prot", "d")),
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
    """The lifetime of spots, or the limit that was found; nothing where no rotation was."""
    if row["lifetime_flag"] == LifetimeFlag.NOT_DETECTED:
        return ""
    if row["lifetime_flag"] == LifetimeFlag.LOWER_LIMIT:
        return f"> {row['spot_lifetime_lower']:.3g} d"
    if row["lifetime_flag"] == LifetimeFlag.UPPER_LIMIT:
        return f"< {row['spot_lifetime_upper']:.3g} d"
    return with_errors(row, "spot_lifetime", "d")
