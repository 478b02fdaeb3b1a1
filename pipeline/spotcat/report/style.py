"""How the figures look: small, sober, readable in grey, with no state left behind."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotcat.atomic import write_file
from spotcat.status import InputError, LeftOut

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

DATA, MODEL, GUIDE = "0.25", "#b2352b", "0.6"
"""Colours of measurements, of the fitted model and of guiding lines; in grey they are dark, middle and light."""

KNOWN = "#2b5fb2"
"""Colour of a period that is known from elsewhere."""

LEFT_OUT: dict[LeftOut, tuple[str, str]] = {
    LeftOut.EXCESS: ("#0072b2", "x"),
    LeftOut.SCATTER: ("#b59b00", "+"),
    LeftOut.FLARE: ("#e69f00", "o"),
    LeftOut.OUTLIER: ("#cc79a7", "*"),
    LeftOut.RAMP: ("#56b4e9", "s"),
    LeftOut.DIP: ("#009e73", "d"),
}
"""Colour and marker of measurements left out, by kind; the colours are those of Okabe & Ito (2008), which people who do
not tell red from green tell apart, with the yellow darkened."""

_STYLE: dict[Any, Any] = {
    "text.usetex": False,
    "svg.hashsalt": "spotcat",
    "font.family": "sans-serif",
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.0,
    "axes.linewidth": 0.6,
    "axes.unicode_minus": True,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.0,
    "lines.linewidth": 1.0,
}


_WITHOUT_CLOCK: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    ".svg": {"Date": None, "Creator": None},
}
"""What a file of each suffix would say of its making; left out, equal pictures have equal bytes."""


@contextmanager
def picture(path: Path, width: float, height: float, dpi: int = 200) -> Iterator[Figure]:
    """Yield an empty figure and write it once the block ends; an earlier file is replaced in one step.

    The reader's own matplotlib settings are put aside meanwhile and come back unchanged.

    Args:
        path: the file; its suffix says PNG, PDF or SVG.
        width: width [inch].
        height: height [inch].
        dpi: dots of a PNG in an inch.

    Raises:
        InputError: the suffix is another one.
        RunError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _WITHOUT_CLOCK:
        raise InputError(f"{path}: pictures end in .png, .pdf or .svg")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    image = io.BytesIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # A name may be in any script; what the font lacks is drawn as boxes.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        yield figure
        figure.savefig(image, format=suffix[1:], dpi=dpi, metadata=_WITHOUT_CLOCK[suffix])
    write_file(path, image.getvalue())


def log_periods(axis: Axis) -> None:
    """Label a logarithmic axis of periods [d] at 1, 2, 5, 10, ..., more often than matplotlib does."""
    axis.set_major_locator(_locator((1.0, 2.0, 5.0)))
    axis.set_minor_locator(_locator((3.0, 4.0, 6.0, 7.0, 8.0, 9.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def _locator(multiples: tuple[float, ...]) -> Any:
    from matplotlib.ticker import LogLocator

    return LogLocator(10.0, multiples, numticks=100)
