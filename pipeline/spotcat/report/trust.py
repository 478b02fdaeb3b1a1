"""What simulated surveys say of the fit: a validation report's figures, and its completeness and reliability."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.report.style import DATA, GUIDE, MODEL, log_periods, picture
from spotcat.status import InputError

_DECADE = 8.0
"""Bins that span more than this factor are drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Curve:
    """Completeness and reliability of one simulated set in bins of a quantity.

    Attributes:
        name: of the set.
        axis: the quantity, with its unit.
        edges: of the bins, rising, shape (n + 1,).
        completeness: fraction of the rotators that were detected, NaN in empty bins, shape (n,).
        reliability: fraction of the detections whose period is right, the same.
        n: stars in each bin, shape (n,).
    """

    name: str
    axis: str
    edges: np.ndarray
    completeness: np.ndarray
    reliability: np.ndarray
    n: np.ndarray

    @property
    def words(self) -> str:
        """A caption."""
        return f"{self.name}: completeness and reliability by {self.axis}."


@dataclass(frozen=True)
class Figure:
    """One figure of a simulated set, with its bounds (infinite where it has none)."""

    name: str
    figure: str
    value: float
    low: float
    high: float

    @property
    def bounds(self) -> str:
        """Its bounds in words; empty without any."""
        if math.isinf(self.low) and math.isinf(self.high):
            return ""
        if math.isinf(self.low):
            return f"≤ {self.high:g}"
        return f"≥ {self.low:g}" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Trust:
    """A validation report, as ``spotcat check recovery`` writes it."""

    version: str
    figures: tuple[Figure, ...]
    curves: tuple[Curve, ...]


def read_trust(path: str | Path) -> Trust:
    """Read a validation report; one that has no curves is drawn without.

    Raises:
        InputError: the file is missing or is no such report.
    """
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
        figures = tuple(map(_figure, report["figures"]))
        return Trust(str(report["spotcat_version"]), figures, tuple(map(_curve, report.get("curves", []))))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path}: not a validation report as `spotcat check recovery` writes it") from None


def plot_curve(curve: Curve, out: Path) -> None:
    """Draw completeness and reliability, and how many stars they rest on."""
    with picture(out, 3.6, 3.0) as figure:
        axes = figure.add_axes((0.13, 0.15, 0.83, 0.8))
        axes.stairs(0.25 * curve.n / max(curve.n.max(), 1), curve.edges, fill=True, color="0.9", zorder=0)
        at_least = curve.axis == "reliability"  # of the stars that score so much or more, not of those in a bin
        middle = np.sqrt(curve.edges[1:] * curve.edges[:-1]) if _is_wide(curve.edges) else _middle(curve.edges)
        middle, n_stars = (curve.edges[:-1], curve.n.max()) if at_least else (middle, curve.n.sum())
        axes.plot(middle, curve.completeness, "o-", color=DATA, ms=3, label="completeness")
        axes.plot(middle, curve.reliability, "s--", color=MODEL, ms=3, label="reliability")
        axes.axhline(1, color=GUIDE, lw=0.5, zorder=0)
        if _is_wide(curve.edges):
            axes.set_xscale("log")
            log_periods(axes.xaxis)
        axes.set(
            xlabel=f"{curve.axis} of at least" if at_least else curve.axis,
            ylabel="fraction",
            xlim=curve.edges[[0, -1]].tolist(),
            ylim=(0, 1.22),
        )
        axes.legend(loc="upper left", ncols=2)
        axes.set_title(f"{curve.name}, {int(n_stars):,} stars", loc="right", size=7, pad=2)


def _figure(entry: dict[str, Any]) -> Figure:
    low, high = (
        end if entry[key] is None else float(entry[key]) for key, end in (("low", -math.inf), ("high", math.inf))
    )
    return Figure(str(entry["set"]), str(entry["name"]), _number(entry["value"]), low, high)


def _curve(entry: dict[str, Any]) -> Curve:
    edges = np.array([_number(edge) for edge in entry["edges"]])
    shares = [np.array([_number(value) for value in entry[key]]) for key in ("completeness", "reliability", "n")]
    if edges.size < 2 or not (edges[1:] > edges[:-1]).all() or any(part.shape != (edges.size - 1,) for part in shares):
        raise ValueError("bins and values do not fit")
    completeness, reliability, n = shares
    return Curve(str(entry["set"]), str(entry["axis"]), _finite(edges), completeness, reliability, np.nan_to_num(n))


def _number(value: Any) -> float:
    """A number; null, which strict JSON has in place of NaN, is one."""
    return math.nan if value is None else float(value)


def _finite(edges: np.ndarray) -> np.ndarray:
    """Edges that can be drawn: a bin without an end is as wide as its neighbour."""
    inner = np.flatnonzero(np.isfinite(edges))
    if inner.size < 2:
        raise ValueError("no bin has two ends")
    widths = np.diff(edges[inner])
    lowest, highest = edges[inner[0]] - widths[0], edges[inner[-1]] + widths[-1]
    return np.clip(edges, lowest if inner[0] else None, highest if inner[-1] < edges.size - 1 else None)


def _is_wide(edges: np.ndarray) -> bool:
    return bool(edges[0] > 0 and edges[-1] > _DECADE * edges[0])


def _middle(edges: np.ndarray) -> np.ndarray:
    return 0.5 * (edges[1:] + edges[:-1])
