"""What a validation found, in one picture for each simulated set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.report.style import DATA, GUIDE, MODEL, log_periods, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 4
_WIDE = 300.0
"""An axis over a larger factor has room for labels at decades alone."""
_STYLES = {"spotcat": (MODEL, "-"), "Lomb-Scargle": (GUIDE, ":"), "autocorrelation": (DATA, "--")}


def plot_validation(
    curves: Sequence[Mapping[str, Any]],
    stars: Mapping[str, np.ndarray],
    coverage: Mapping[str, Sequence[float]],
    nominal: Sequence[float],
    out: str | Path,
) -> Path:
    """Draw recovered against true periods, completeness and reliability along each quantity, and coverage.

    Args:
        curves: of one set, each with ``axis``, ``edges``, ``completeness``, ``reliability`` and ``within``; the one
            along ``reliability`` among them.
        stars: ``true`` and ``prot`` [d] and ``rotating``, arrays of shape (n,).
        coverage: by the name of an interval, how often it holds the truth at each of `nominal`.
        nominal: probabilities of the intervals.
        out: the file to write, PNG, PDF or SVG by its suffix.

    Returns:
        The file.

    Raises:
        RunError: the file cannot be written.
    """
    along = [curve for curve in curves if curve["axis"] != "reliability"]
    threshold = next(curve for curve in curves if curve["axis"] == "reliability")
    path, rows = Path(out), -(-(4 + len(along)) // _COLUMNS)
    with picture(path, 9.2, 2.4 * rows) as figure:
        axes = figure.subplots(rows, _COLUMNS).ravel()
        _recovered(axes[0], stars)
        _by_threshold(axes[1], threshold)
        _coverage(axes[2], coverage, nominal)
        for place, curve in zip(axes[3:], along, strict=False):
            _along(place, curve)
        for empty in axes[3 + len(along) :]:
            empty.set_axis_off()
        if along:
            axes[3 + len(along)].legend(*axes[3].get_legend_handles_labels(), loc="center", title="fraction right")
        figure.tight_layout(pad=0.6)
    return path


def _recovered(axes: Axes, stars: Mapping[str, np.ndarray]) -> None:
    true, found, sure = stars["true"], stars["prot"], stars["rotating"] == 1
    both = np.concatenate([true, found[np.isfinite(found)]])
    ends = np.array([both.min() / 1.2, both.max() * 1.2])
    for factor, style in ((1.0, "-"), (2.0, "--"), (0.5, ":")):
        axes.plot(ends, factor * ends, style, color=GUIDE, lw=0.7, zorder=1)
    axes.scatter(true[~sure], found[~sure], 5, "white", edgecolors=DATA, lw=0.4, label="not detected", zorder=2)
    axes.scatter(true[sure], found[sure], 5, DATA, lw=0, label="detected", zorder=3)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="true period [d]", ylabel="recovered period [d]")
    log_periods(axes.xaxis)
    log_periods(axes.yaxis)
    axes.legend(loc="upper left", handlelength=1.0)


def _by_threshold(axes: Axes, curve: Mapping[str, Any]) -> None:
    thresholds = curve["edges"][:-1]
    axes.plot(thresholds, curve["completeness"], "-", color=MODEL, label="completeness")
    axes.plot(thresholds, curve["reliability"], "--", color=DATA, label="right among these")
    axes.set(xlabel="reliability of at least", ylabel="fraction of stars", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="lower left")


def _coverage(axes: Axes, coverage: Mapping[str, Sequence[float]], nominal: Sequence[float]) -> None:
    axes.plot([0, 1], [0, 1], "-", color=GUIDE, lw=0.7)
    for (name, held), style in zip(coverage.items(), ("-", "--", "-.", ":"), strict=False):
        axes.plot(nominal, held, style, color=MODEL if "raw" not in name else DATA, label=name)
    axes.set(xlabel="probability of the interval", ylabel="holds the truth", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left")


def _along(axes: Axes, curve: Mapping[str, Any]) -> None:
    edges = np.asarray(curve["edges"])
    for method, (color, style) in _STYLES.items():
        axes.stairs(curve["within"][method], edges, color=color, ls=style, baseline=None, label=method)
    axes.stairs(curve["completeness"], edges, color=MODEL, ls=(0, (1, 1)), baseline=None, label="detected and right")
    if edges[0] > 0:
        axes.set_xscale("log")
        if edges[-1] < _WIDE * edges[0]:
            log_periods(axes.xaxis)
    axes.set(xlabel=curve["axis"], ylabel="fraction right", ylim=(0, 1.02))
