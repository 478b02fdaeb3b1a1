"""Recovered against true periods."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spotcat.report.style import DATA, GUIDE, log_periods, picture


def plot_recovery(
    true: np.ndarray,
    found: np.ndarray,
    detected: np.ndarray,
    title: str,
    out: str | Path,
    reference: str = "true photometric period",
) -> Path:
    """Draw the periods found against the true ones, with the lines on which they are right, doubled or halved.

    Args:
        true: true periods [d], shape (n,).
        found: periods found [d], shape (n,); stars without one (NaN) are left out.
        detected: whether rotation counts as detected, shape (n,); those stars are filled, the others open.
        title: a line above the plot, such as the fraction recovered.
        out: the file to write, PNG, PDF or SVG by its suffix.
        reference: what the true periods are, for the axis.

    Returns:
        The file.

    Raises:
        RunError: the file cannot be written.
        ValueError: no star has a period.
    """
    has_period = np.isfinite(found)
    if not has_period.any():
        raise ValueError("no star has a period")
    true, found, detected = true[has_period], found[has_period], np.asarray(detected)[has_period].astype(bool)
    low, high = min(true.min(), found.min()) / 1.25, max(true.max(), found.max()) * 1.25
    path = Path(out)
    with picture(path, 3.6, 3.7) as figure:
        axes = figure.add_axes((0.15, 0.13, 0.81, 0.79))
        for factor, style in ((1.0, "-"), (2.0, "--"), (0.5, ":")):
            label = {1.0: "1:1", 2.0: "2:1", 0.5: "1:2"}[factor]
            axes.plot([low, high], [factor * low, factor * high], style, color=GUIDE, lw=0.8, label=label, zorder=1)
        axes.scatter(true[detected], found[detected], 16, DATA, lw=0.7, label="rotation detected", zorder=2)
        axes.scatter(
            true[~detected], found[~detected], 16, "white", edgecolors=DATA, lw=0.7, label="not detected", zorder=2
        )
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
        axes.set(xlabel=f"{reference} [d]", ylabel="recovered period [d]", title=title)
        log_periods(axes.xaxis)
        log_periods(axes.yaxis)
        axes.legend(loc="upper left", handlelength=1.6, labelspacing=0.3)
    return path
