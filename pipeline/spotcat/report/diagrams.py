"""Diagrams of a whole survey: periods, amplitudes, lifetimes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spotcat.report.style import DATA, GUIDE, MODEL, log_periods, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MANY = 3_000
"""More stars than this are drawn as a density."""
_SIZE = (3.6, 3.0)


def plot_periods(prot: np.ndarray, rotating: np.ndarray, out: Path) -> None:
    """Distribution of periods [d], of stars whose rotation was detected and of all."""
    with picture(out, *_SIZE) as figure:
        axes = figure.add_axes((0.15, 0.15, 0.81, 0.8))
        edges = np.geomspace(0.9 * prot.min(), 1.1 * prot.max(), 41).tolist()
        axes.hist(prot, edges, color="0.85", label="candidates too")
        axes.hist(prot[rotating], edges, color=DATA, label="rotation detected")
        axes.set(xscale="log", xlabel="rotation period [d]", ylabel="stars", xlim=(edges[0], edges[-1]))
        axes.set_ylim(0, 1.25 * axes.get_ylim()[1])
        log_periods(axes.xaxis)
        axes.legend(loc="upper left")


def plot_against_period(prot: np.ndarray, values: np.ndarray, rotating: np.ndarray, label: str, out: Path) -> None:
    """A positive quantity of each star against its period [d]; stars without detected rotation are open."""
    with picture(out, *_SIZE) as figure:
        axes = figure.add_axes((0.17, 0.15, 0.79, 0.8))
        _points(axes, prot, values, rotating)
        axes.set(xlabel="rotation period [d]", ylabel=label)
        log_periods(axes.xaxis)


def plot_lifetimes(prot: np.ndarray, lifetime: np.ndarray, limited: np.ndarray, out: Path) -> None:
    """Spot lifetimes [d] against periods [d], with lines of equal numbers of rotations; lower limits are triangles."""
    with picture(out, *_SIZE) as figure:
        axes = figure.add_axes((0.17, 0.15, 0.79, 0.8))
        _points(axes, prot, lifetime, ~limited, others=("^", "lower limit", "measured"))
        ends = np.array(axes.get_xlim())
        for number in (1, 3, 10):
            axes.plot(ends, number * ends, color=MODEL, lw=0.7, zorder=0, ls="--" if number == 1 else ":")
            low, high = axes.get_ylim()
            if low < number * ends[0] < high / 2:
                axes.text(1.08 * ends[0], 1.3 * number * ends[0], f"{number} P", color=MODEL, size=7)
        axes.set(xlabel="rotation period [d]", ylabel="spot lifetime [d]", xlim=ends)
        log_periods(axes.xaxis)


def _points(
    axes: Axes,
    x: np.ndarray,
    y: np.ndarray,
    sure: np.ndarray,
    others: tuple[str, str, str] = ("o", "candidate", "rotation detected"),
) -> None:
    """Points, those that are not sure open; `others` has their mark, their word and that of the sure ones."""
    if len(x) > _MANY:
        axes.hexbin(x, y, gridsize=60, xscale="log", yscale="log", cmap="Greys", bins="log", mincnt=1, lw=0)
    else:
        mark, word, sure_word = others
        axes.scatter(x[~sure], y[~sure], 9, "none", edgecolors=GUIDE, lw=0.6, marker=mark, label=word)
        axes.scatter(x[sure], y[sure], 9, DATA, lw=0, label=sure_word)
        axes.legend(loc="best", handletextpad=0.2)
    axes.set(xscale="log", yscale="log", xlim=(x.min() / 1.15, x.max() * 1.15), ylim=(y.min() / 1.4, y.max() * 1.4))
