"""Pictures of stars whose period or kind a catalog has wrong: what their light curves show, at both periods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spotcat.catalog.escapes import as_line, shortened
from spotcat.report.fitted import FittedStar
from spotcat.report.flux import Place, light_curve
from spotcat.report.panels import fold, periodogram
from spotcat.report.style import KNOWN, MODEL, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PER_PAGE = 5
"""Stars on a page."""
_WIDTH, _ROW, _FOOT = 10.65, 2.35, 0.1
"""Width of a page, height of a star on it and of the margin below [inch]."""
_LINE, _LETTERS = 150, 60
"""Letters in a line of words, and of a name."""


class Missed(NamedTuple):
    """A star to draw.

    Attributes:
        name: its name.
        true: the period that is known [d], NaN where none is.
        words: what is known and what was found.
        flags: the flags in words.
        star: the fitted star; None if it cannot be drawn.
        reason: why not.
    """

    name: str
    true: float
    words: str
    flags: str
    star: FittedStar | None
    reason: str = ""


def draw_missed(stars: Iterable[Missed], folder: Path, stem: str) -> list[Path]:
    """Draw stars, a few on a page: light curve, folded at the known and the found period, and GP periodogram.

    Args:
        stars: the stars; taken one page after another, so that they need not all be in memory.
        folder: where to.
        stem: what the files' names begin with; pages of that name from before that are not written again are deleted.

    Returns:
        The files, ``STEM-1.png`` and so on.

    Raises:
        RunError: a file cannot be written.
    """
    written = []
    for number, page in enumerate(_pages(stars), start=1):
        path = folder / f"{stem}-{number}.png"
        with picture(path, _WIDTH, _ROW * len(page) + _FOOT, dpi=140) as figure:
            for row, star in enumerate(page):
                _draw(figure, star, row * _ROW)
        written.append(path)
    for old in folder.glob(f"{stem}-*.png"):
        if old not in written and old.stem[len(stem) + 1 :].isdecimal():
            old.unlink()
    return written


def _pages(stars: Iterable[Missed]) -> Iterator[list[Missed]]:
    page: list[Missed] = []
    for star in stars:
        page.append(star)
        if len(page) == PER_PAGE:
            yield page
            page = []
    if page:
        yield page


def _draw(figure: Figure, missed: Missed, top: float) -> None:
    """One star, from `top` [inch] downwards."""

    def place(left: float, width: float) -> Place:
        height = figure.get_figheight()
        return left / _WIDTH, 1 - (top + 1.95) / height, width / _WIDTH, 1.2 / height

    def line(down: float, text: str, *, bold: bool = False, of: float = 0.1) -> None:
        weight = "bold" if bold else "normal"
        y = 1 - (top + down) / figure.get_figheight()
        figure.text(of / _WIDTH, y, text, weight=weight, parse_math=False, va="baseline")

    line(0.2, f"{shortened(as_line(missed.name), _LETTERS)}: {missed.words}", bold=True)
    line(0.35, fill(missed.flags, _LINE, max_lines=1, placeholder=" …"))
    if missed.star is None:
        line(1.3, fill(as_line(missed.reason), _LINE), of=0.65)
        return
    star = missed.star
    parts = light_curve(figure, star, place(0.65, 3.3), residuals=False, above=0.17)
    parts[len(parts) // 2].set_xlabel("time [d]")
    known = np.isfinite(missed.true)
    found = float(star.row["prot"])
    for left, period, color, words in ((4.62, missed.true, KNOWN, "true"), (6.35, found, MODEL, "found")):
        axes = figure.add_axes(place(left, 1.25))
        if np.isfinite(period):
            fold(axes, star, period, color)
            axes.set_title(f"folded at the {words} {period:.4g} d", color=color)
            axes.set(ylabel=axes.get_ylabel() if words == "true" or not known else "")
        else:
            axes.axis("off")
            axes.text(0.5, 0.5, f"no {words} period", ha="center", transform=axes.transAxes, color="0.35")
    axes = figure.add_axes(place(8.45, 1.95))
    periodogram(axes, star, None)
    axes.tick_params(axis="x", labelsize=6.5)
    axes.set_title("found P", color=MODEL, loc="right")
    if known:
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, missed.true / 1.1), max(high, missed.true * 1.1))
        axes.axvline(missed.true, color=KNOWN, lw=1.4, zorder=0)
        axes.set_title("true P", color=KNOWN, loc="left")
