"""What a catalog of simulated stars is worth: figures against the truth, and the bounds they are held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spotcat.check.recovery import METHODS, recovery
from spotcat.status import LifetimeFlag

COLUMNS = (
    *METHODS.values(),
    *("rotating", "reliability", "rvar", "flags", "baseline", "lifetime_flag", "spot_lifetime"),
    *("lnl_rotation", "amplitude", "white_noise", "rotating_share", "longest_segment"),
    *(f"{name}_{end}" for name in ("prot", "spot_lifetime") for end in ("lower", "upper", "lower95", "upper95")),
    *(f"{name}_{end}_raw" for name in ("prot", "spot_lifetime") for end in ("lower", "upper")),
)
"""Columns of the catalog that `assess` and `false_alarms` use."""

CLOSE = 0.3
"""A lifetime within this fraction of the true one is close."""


@dataclass(frozen=True)
class Figure:
    """One figure of a set.

    Attributes:
        name: what it is, in words.
        value: a fraction, or a number.
        low: least that it should be; -inf without a bound.
        high: most that it should be; inf without a bound.
    """

    name: str
    value: float
    low: float = -np.inf
    high: float = np.inf

    @property
    def holds(self) -> bool:
        """Whether the figure is within its bounds; NaN is not."""
        return bool(self.low <= self.value <= self.high)

    def bounds(self) -> str:
        """The bounds in words, or nothing."""
        if np.isinf(self.low) and np.isinf(self.high):
            return ""
        if np.isinf(self.high):
            return f">= {self.low:.3g}"
        return f"<= {self.high:.3g}" if np.isinf(self.low) else f"{self.low:.3g} to {self.high:.3g}"


THIRDS = tuple(enumerate(("weakest", "middle", "strongest")))
"""Of the stars of a set by amplitude."""

WITHIN = {"half-year": 0.80, "sector": 0.90, "mission": 0.90, "butterfly": 0.96}
"""Fraction of periods that should be right, all stars of a set counted."""


def assess(name: str, found: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> list[Figure]:
    """Figures of a set of rotators.

    Args:
        name: of the set.
        found: ``COLUMNS`` of the catalog in the order of `truth`, arrays of shape (n,).
        truth: what ``read_truth`` returns.
    """
    rates = {method: recovery(found[column], truth["peq"], truth["prot"]) for method, column in METHODS.items()}
    ours, classical = rates["spotcat"], max(r.within for method, r in rates.items() if method != "spotcat")
    seen = found["rotating"] == 1
    sure = recovery(found["prot"][seen], truth["peq"][seen], truth["prot"][seen]) if seen.any() else None
    figures = [
        Figure("periods within 10 %", ours.within, max(WITHIN.get(name, 0.0), classical)),
        Figure("the same by Lomb-Scargle", rates["Lomb-Scargle"].within),
        Figure("the same by autocorrelation", rates["autocorrelation"].within),
        Figure("half or double period", ours.half + ours.double),
        Figure("detected", float(seen.mean())),
        Figure("detected periods within 10 %", sure.within if sure else np.nan, 0.95),
        Figure("detected with half or double period", sure.half + sure.double if sure else np.nan, high=0.02),
    ]
    everyone, third = np.ones(seen.size, bool), _thirds(found["rvar"])
    figures += coverage("prot", found, truth["prot"], everyone)
    figures += [coverage("prot", found, truth["prot"], third == i, f", {words} third")[0] for i, words in THIRDS]
    return figures + _lifetimes(found, truth)


def coverage_together(sets: Sequence[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]]) -> list[Figure]:
    """How often intervals hold the truth in several sets together, in total and in each third of amplitude of its set.

    Args:
        sets: of each what `assess` is given, `found` and `truth`.
    """
    third = np.concatenate([_thirds(found["rvar"]) for found, _ in sets])
    pairs = zip(*sets, strict=True)
    found, truth = ({key: np.concatenate([part[key] for part in parts]) for key in parts[0]} for parts in pairs)
    figures = []
    for name, which in (("prot", np.ones(third.size, bool)), ("spot_lifetime", _measured(found, truth))):
        figures += coverage(name, found, truth[name], which)
        for i, words in THIRDS:
            figures += coverage(name, found, truth[name], which & (third == i), f", {words} third")
    return figures


def _thirds(amplitude: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(amplitude)) * 3 // amplitude.size


def _measured(found: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which stars have a lifetime without a flag, and a true one."""
    return (found["lifetime_flag"] == LifetimeFlag.MEASURED) & np.isfinite(truth["spot_lifetime"])


def _lifetimes(found: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> list[Figure]:
    true = truth["spot_lifetime"]
    sure = _measured(found, truth)
    if not sure.any():
        return [Figure("lifetimes without a flag", 0.0)]
    ratio = found["spot_lifetime"][sure] / true[sure]
    close = float(np.mean(np.abs(ratio - 1) <= CLOSE))
    return [
        Figure("lifetimes without a flag", float(sure.mean())),
        Figure("their median bias", float(np.median(ratio)) - 1, -0.10, 0.10),
        Figure("of them within 30 %", close, 0.68),
        *coverage("spot_lifetime", found, true, sure),
    ]


def coverage(
    name: str, found: Mapping[str, np.ndarray], true: np.ndarray, which: np.ndarray, of: str = ""
) -> list[Figure]:
    """How often the 68 % and 95 % intervals of a quantity hold it, with their bounds.

    Args:
        name: the quantity.
        found: ``COLUMNS`` of the catalog, arrays of shape (n,).
        true: its true values, shape (n,).
        which: the stars that count, bool, shape (n,).
        of: what to call them.
    """
    inside, wide = (float(np.mean(covered(found, name, level, true)[which])) for level in ("", "95"))
    return [
        Figure(f"68 % intervals of {name} that hold it{of}", inside, 0.64, 0.72),
        Figure(f"95 % intervals of {name} that hold it{of}", wide, 0.93, 0.97),
    ]


def covered(found: Mapping[str, np.ndarray], name: str, level: str, true: np.ndarray) -> np.ndarray:
    """Whether the intervals ``name_lower{level}`` to ``name_upper{level}`` hold the truth, shape (n,)."""
    return (found[f"{name}_lower{level}"] <= true) & (true <= found[f"{name}_upper{level}"])


def false_alarms(found: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> list[Figure]:
    """Figures of a set without rotation: how many are called rotators, of all and of each family."""
    alarm = found["rotating"] == 1
    families = [
        Figure(f"of {family} called rotating", float(alarm[truth["family"] == family].mean()))
        for family in sorted(set(truth["family"].tolist()))
    ]
    return [Figure("called rotating", float(alarm.mean()), high=0.01), *families]
