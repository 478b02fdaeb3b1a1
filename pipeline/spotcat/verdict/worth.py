"""What a star is worth to a reader: one verdict from its catalog columns, and lifetimes that say no more than is known.

The first rule that holds decides:

1. no finished fit: not measurable;
2. several strict frequencies: periodic, not spots;
3. narrow dips, without a rotation or with one in step with them: eclipsing;
4. strictly periodic otherwise: periodic, undecided.  GJ 1243, whose spots outlived years, and the RR Lyrae stars of K2
   look alike here, so neither is called what it is;
5. a rotation was detected: rotator;
6. false alarm and reliability within the looser limits of `THRESHOLDS`, and no flag that speaks against it: probable;
7. no rotation seen.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spotcat.status import Flag, LifetimeFlag, Status, Verdict
from spotcat.verdict.thresholds import THRESHOLDS

AGAINST = Flag.PRIOR_EDGE | Flag.FEW_CYCLES | Flag.ECLIPSES_SUSPECTED | Flag.STEPS_SUSPECTED
"""Flags of which each keeps a period from being probable."""

COLUMNS = ("status", "flags", "rotating", "prot", "dip_period", "false_alarm", "reliability")
"""The catalog's columns from which the verdict follows."""

_OF_LIFE = ("spot_lifetime", "n_life_rot", "lspot", "tau_spot", "spot_support")
_ENDS = ("_lower", "_upper", "_lower95", "_upper95", "_lower_raw", "_upper_raw")
_IN_STEP = (0.5, 1.0, 2.0)
"""Rotation periods in periods of the dips that tell of one cause: a binary with unlike halves, or alike ones."""


def worth(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """The verdict on each star.

    Args:
        columns: the catalog's `COLUMNS`, shape (n,) each.

    Returns:
        Codes of `Verdict`, shape (n,), int8.
    """
    flags, rotating = columns["flags"], columns["rotating"] == 1
    dips = (flags & Flag.ECLIPSES_SUSPECTED) != 0
    within = columns["false_alarm"] <= THRESHOLDS.probable_false_alarm
    within &= columns["reliability"] >= THRESHOLDS.probable_reliability
    rules = (
        (columns["status"] != Status.OK, Verdict.NOT_MEASURABLE),
        ((flags & Flag.SEVERAL_FREQUENCIES) != 0, Verdict.PERIODIC_NOT_SPOTS),
        (dips & (~rotating | _in_step(columns["prot"], columns["dip_period"])), Verdict.ECLIPSING),
        ((flags & Flag.STRICTLY_PERIODIC) != 0, Verdict.PERIODIC_UNDECIDED),
        (rotating, Verdict.ROTATOR),
        (within & ((flags & AGAINST) == 0), Verdict.PROBABLE),
    )
    where, codes = zip(*rules, strict=True)
    return np.select(where, [np.int8(code) for code in codes], np.int8(Verdict.NO_ROTATION_SEEN)).astype(np.int8)


def limits_alone(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns of lifetimes without what the data do not say.

    Where no rotation was detected there is none.  Where a lifetime is only limited from below (above), its upper
    (lower) ends and the value itself are missing; no lower end is shorter than that of any rotation.

    Args:
        columns: those of a fit, ``prot``, ``lifetime_flag`` and what is fitted of lifetimes, shape (n,) each.

    Returns:
        What has changed of them.
    """
    flag = columns["lifetime_flag"]
    below, above = flag == LifetimeFlag.LOWER_LIMIT, flag == LifetimeFlag.UPPER_LIMIT
    changed = {
        name: np.where(flag == LifetimeFlag.NOT_DETECTED, np.nan, columns[name])
        for name in (f"{quantity}{end}" for quantity in _OF_LIFE for end in ("", *_ENDS))
        if name in columns
    }
    for quantity, shortest in (("spot_lifetime", THRESHOLDS.least_rotations * columns["prot"]), ("n_life_rot", None)):
        for end in ("", *_ENDS):
            name = f"{quantity}{end}"
            if name not in changed:
                continue
            unknown = above if end.startswith("_lower") else below if end.startswith("_upper") else below | above
            changed[name] = np.where(unknown, np.nan, changed[name])
            if shortest is not None and end in ("_lower", "_lower95"):
                changed[name] = np.where(below, np.maximum(changed[name], shortest), changed[name])
    return changed


def _in_step(prot: np.ndarray, dip_period: np.ndarray) -> np.ndarray:
    """Whether rotation periods are those of dips, their half or their double; false where dips have no period."""
    ratio = np.abs(np.log(prot[:, None] / (dip_period[:, None] * np.array(_IN_STEP))))
    return np.asarray((ratio < THRESHOLDS.period_agrees).any(axis=1))
