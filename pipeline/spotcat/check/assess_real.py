"""Figures of semi-real sets: right, called, false alarms, beside the classical methods at as many false alarms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import beta

from spotcat.check.assess import Figure, coverage
from spotcat.check.recovery import METHODS, matches

SURE = 0.95
"""Probability with which a rate lies above its lower bound, or below its upper one (Clopper & Pearson 1934)."""
CLEAR_CYCLES, CLEAR_AMPLITUDE = (3.0, 7.0), 10.0
"""Rotations and amplitude over noise of stars that a sector should show."""
SECTORS = ("sector-real", "ffi-real")


def assess_real(
    name: str,
    found: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray],
    called: Mapping[str, np.ndarray] | None = None,
) -> list[Figure]:
    """Figures of a semi-real set of rotators.

    Args:
        name: of the set.
        found: ``assess.COLUMNS`` of the catalog in the order of `truth`, arrays of shape (n,).
        truth: what ``read_truth`` returns.
        called: by classical method, which stars it would call rotating at as many false alarms, shape (n,).
    """
    right = {m: matches(found[column], truth["peq"], truth["prot"]) for m, column in METHODS.items()}
    ours, half, double = right["spotcat"]
    seen = found["rotating"] == 1
    figures = [
        Figure("periods within 10 %", float(ours.mean())),
        *(Figure(f"the same by {method}", float(r[0].mean())) for method, r in right.items() if method != "spotcat"),
        Figure("half or double period", float((half | double).mean())),
        Figure("detected", float(seen.mean())),
        Figure("detected periods within 10 %", _share(ours, seen), 0.985),
        Figure("its 95 % lower bound", lower_bound(int((ours & seen).sum()), int(seen.sum())), 0.97),
        Figure("detected with half or double period", _share(half | double, seen), high=0.01),
    ]
    rivals = {method: float((right[method][0] & which).mean()) for method, which in (called or {}).items()}
    if rivals:
        figures.append(Figure("detected with the right period", float((ours & seen).mean()), max(rivals.values())))
        figures += [Figure(f"the same by {method} at as many false alarms", each) for method, each in rivals.items()]
    figures += coverage("prot", found, truth["prot"], np.ones(seen.size, bool))
    if seen.any():
        figures += coverage("prot", found, truth["prot"], seen, ", detected")
    return figures + (_clear(ours, seen, truth) if name in SECTORS else [])


def _clear(right: np.ndarray, seen: np.ndarray, truth: Mapping[str, np.ndarray]) -> list[Figure]:
    """Figures of the stars that a sector should show, where there are any."""
    low, high = CLEAR_CYCLES
    clear = (truth["cycles"] >= low) & (truth["cycles"] <= high) & (truth["amplitude_over_noise"] >= CLEAR_AMPLITUDE)
    which = f"of {clear.sum()} stars of {low:g} to {high:g} cycles and {CLEAR_AMPLITUDE:g} times the noise"
    if not clear.any():
        return []
    return [
        Figure(f"{which} within 10 %", _share(right, clear), 0.90),
        Figure(f"{which} detected", _share(seen, clear), 0.80),
    ]


def false_alarms_real(found: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> list[Figure]:
    """Figures of a scrambled set: how many are called rotators, of all and of each background that has some.

    Args:
        found: ``assess.COLUMNS`` of the catalog in the order of `truth`, arrays of shape (n,).
        truth: what ``read_truth`` returns.
    """
    alarm = found["rotating"] == 1
    of = {star: float(alarm[truth["background"] == star].mean()) for star in sorted(set(truth["background"].tolist()))}
    return [
        Figure("called rotating", float(alarm.mean()), high=0.01),
        Figure("its 95 % upper bound", 1 - lower_bound(int((~alarm).sum()), alarm.size)),
        *(Figure(f"of {star} called rotating", share) for star, share in of.items() if share),
    ]


def lower_bound(k: int, n: int) -> float:
    """Below the rate of which `k` of `n` are a sample, in 95 % of samples; NaN of none, 0 where `k` is."""
    if not n:
        return float("nan")
    return float(beta.ppf(1 - SURE, k, n - k + 1)) if k else 0.0


def _share(which: np.ndarray, of: np.ndarray) -> float:
    return float(which[of].mean()) if of.any() else float("nan")
