"""Completeness and reliability of a simulated set along one quantity after another, and what intervals are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from spotcat.check.recovery import METHODS, matches
from spotcat.verdict.calibration import half_width

BINS = 8
"""Bins of equal numbers of stars."""
THRESHOLDS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
"""Thresholds of ``reliability``."""
REAL_AXES = {"amplitude_over_noise": "amplitude over noise", "cycles": "cycles in the baseline"}
"""Columns of the truth of semi-real sets that are axes as well."""
NOMINAL = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2).tolist())
"""Probabilities at which the intervals of the fit alone are compared with how often they hold the truth."""


@dataclass(frozen=True)
class Curve:
    """What a set is worth along one quantity.

    Attributes:
        set: name of the set.
        axis: the quantity with its unit; ``reliability`` is the score of which at least `edges` is asked.
        edges: of the bins, one more than bins; for ``reliability`` the thresholds, and 1.
        n: stars in each bin, or above each threshold.
        completeness: fraction of the bin's stars (of all stars) detected with a right period.
        reliability: fraction of those detected whose period is right; NaN of none.
        within: for each method, fraction of the bin's stars with a right period, detected or not; empty for thresholds.
        called: for each classical method the completeness that it has at as many false alarms; empty where that is not
            known.
    """

    set: str
    axis: str
    edges: list[float]
    n: list[int]
    completeness: list[float]
    reliability: list[float]
    within: dict[str, list[float]]
    called: dict[str, list[float]] = field(default_factory=dict)


def curves(
    name: str,
    found: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray],
    called: Mapping[str, np.ndarray] | None = None,
) -> list[Curve]:
    """Curves of a set of rotators.

    Args:
        name: of the set.
        found: ``assess.COLUMNS`` of the catalog in the order of `truth`, arrays of shape (n,).
        truth: what ``read_truth`` returns.
        called: by classical method, which stars it would call rotating at as many false alarms.
    """
    right = {m: matches(found[column], truth["peq"], truth["prot"])[0] for m, column in METHODS.items()}
    detected = found["rotating"] == 1
    axes = {
        "true period [d]": truth["prot"],
        "amplitude rvar": found["rvar"],
        "true spot lifetime [rotations]": truth["spot_lifetime"] / truth["prot"],
        "gain lnl_rotation": found["lnl_rotation"],
        **{words: truth[column] for column, words in REAL_AXES.items() if column in truth},
    }
    sure = {method: right[method] & which for method, which in (called or {}).items()}
    known = {axis: values for axis, values in axes.items() if np.isfinite(values).all()}
    along = [_binned(name, axis, values, right, detected, sure) for axis, values in known.items()]
    return [_by_threshold(name, found["reliability"], right["spotcat"]), *along]


def _binned(
    name: str,
    axis: str,
    values: np.ndarray,
    right: dict[str, np.ndarray],
    detected: np.ndarray,
    sure: dict[str, np.ndarray],
) -> Curve:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)))
    place = np.clip(np.digitize(values, edges[1:-1]), 0, edges.size - 2)
    bins = [place == i for i in range(edges.size - 1)]
    ours = right["spotcat"]
    return Curve(
        set=name,
        axis=axis,
        edges=[float(f"{edge:.4g}") for edge in edges],
        n=[int(own.sum()) for own in bins],
        completeness=[_share(ours & detected, own) for own in bins],
        reliability=[_share(ours, own & detected) for own in bins],
        within={method: [_share(r, own) for own in bins] for method, r in right.items()},
        called={method: [_share(r, own) for own in bins] for method, r in sure.items()},
    )


def _by_threshold(name: str, score: np.ndarray, right: np.ndarray) -> Curve:
    above = [score >= threshold for threshold in THRESHOLDS]
    everything = np.ones(score.size, bool)
    return Curve(
        set=name,
        axis="reliability",
        edges=[*THRESHOLDS, 1.0],
        n=[int(some.sum()) for some in above],
        completeness=[_share(some & right, everything) for some in above],
        reliability=[_share(right, some) for some in above],
        within={},
    )


def _share(which: np.ndarray, of: np.ndarray) -> float:
    return float(f"{(which & of).sum() / of.sum():.4f}") if of.any() else float("nan")


def held(found: Mapping[str, np.ndarray], name: str, true: np.ndarray, ending: str) -> list[float]:
    """How often intervals of the probabilities `NOMINAL`, scaled from the 68 % one, hold the truth.

    Args:
        found: the columns ``{name}``, ``{name}_lower{ending}`` and ``{name}_upper{ending}``, arrays of shape (n,).
        name: the quantity.
        true: its true values, NaN where there is none, shape (n,).
        ending: of the interval's columns: empty for the calibrated, ``_raw`` for that of the fit alone.
    """
    from scipy.stats import norm

    half = half_width(found[f"{name}_lower{ending}"], found[f"{name}_upper{ending}"])
    away = np.abs(np.log(found[name] / true)) / half * norm.ppf(0.84)
    away = away[np.isfinite(away)]
    return [float(f"{np.mean(away <= norm.ppf(0.5 + p / 2)):.4f}") for p in NOMINAL] if away.size else []
