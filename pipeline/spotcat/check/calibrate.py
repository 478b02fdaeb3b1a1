"""Learning the calibration of the fit from simulated stars whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_expit

from spotcat import __version__
from spotcat.check.recovery import matches
from spotcat.config import FitConfig
from spotcat.status import InputError, LifetimeFlag
from spotcat.verdict.calibration import (
    LEVELS,
    QUANTITIES,
    Calibration,
    evidence_features,
    half_width,
    right_features,
    settings,
)

GAIN_EDGES = (3.0, 6.0, 12.0, 30.0, 100.0, 300.0)
BASELINE_EDGES = (60.0, 500.0)
"""Between a TESS sector, half a year, and a whole mission [d]."""
FEWEST, FEWEST_OUTSIDE = 150, 10
"""A regime of gain with fewer stars, or fewer of them outside the interval, borrows those of its neighbours at the same
baseline, and where these are too few, all."""
RIDGE = 1e-3
"""Keeps the regression finite where all periods are right."""
ALARM_EVIDENCE = tuple(0.25 * i for i in range(-32, 33))
"""Ln odds at which the false-alarm probability is tabulated."""
SHALLOWEST = -0.2
"""The tail falls by this at least, in ln for each unit of evidence."""
TAIL = 20
"""The largest evidences of stars without rotation that tell how the tail falls."""
FEW = 10
"""Where fewer stars have as much evidence, the fraction is taken from an exponential through those before."""


def learn(
    rotating: Mapping[str, np.ndarray], quiet: Mapping[str, np.ndarray], version: str, config: FitConfig
) -> Calibration:
    """Make a table.

    Args:
        rotating: of rotators, the columns ``baseline``, ``reliability``, ``lifetime_flag``, those of
            `evidence_features`, the quantities with their raw intervals, and ``true_prot``, ``true_peq`` and
            ``true_spot_lifetime``, NaN where there is no truth; arrays of shape (n,).
        quiet: of stars without rotation ``baseline``, ``reliability`` and those of `evidence_features`; arrays of
            shape (m,).  A reliability of 0 says that the verdict refuses a star whatever its evidence.
        version: what to call it.
        config: settings of the fit that all of these come from.

    Raises:
        InputError: no star has a truth and an interval of some quantity to learn from.
    """
    regime = np.digitize(rotating["lnl_rotation"], GAIN_EDGES), np.digitize(rotating["baseline"], BASELINE_EDGES)
    factors: dict[str, list[list[float]]] = {}
    for name in QUANTITIES:
        half = half_width(rotating[f"{name}_lower_raw"], rotating[f"{name}_upper_raw"])
        score = np.abs(np.log(rotating[name] / rotating[f"true_{name}"])) / half
        if name == "spot_lifetime":
            score = np.where(rotating["lifetime_flag"] == LifetimeFlag.MEASURED, score, np.nan)
        if not np.isfinite(score).any():
            raise InputError(f"check.sets: no star to learn intervals of {name} from; give more stars, or longer sets")
        for level in LEVELS:
            factors[f"{name}_{level}"] = [
                [_quantile(score, regime, (i, j), level / 100) for j in range(len(BASELINE_EDGES) + 1)]
                for i in range(len(GAIN_EDGES) + 1)
            ]
    weights = _evidence(rotating, quiet)
    evidence = np.where(quiet["reliability"] > 0, evidence_features(quiet) @ weights, -np.inf)
    place = np.digitize(quiet["baseline"], BASELINE_EDGES)
    alarms = []
    for j in range(len(BASELINE_EDGES) + 1):
        own = evidence[place == j]
        alarms.append(_ln_alarm(own if own.size >= FEWEST else evidence))
    right = _right_periods(rotating)
    origin = version, __version__, settings(config)
    edges = GAIN_EDGES, BASELINE_EDGES
    return Calibration(*origin, *edges, factors, tuple(weights.tolist()), ALARM_EVIDENCE, tuple(alarms), right)


def _quantile(score: np.ndarray, regime: tuple[np.ndarray, np.ndarray], place: tuple[int, int], level: float) -> float:
    """The conformal quantile of a regime: the ceil((n + 1) level)-th smallest of its n scores."""
    known = np.isfinite(score)
    near = known & (regime[1] == place[1])
    wider = (near & (np.abs(regime[0] - place[0]) <= reach) for reach in range(len(GAIN_EDGES) + 1))
    fewest = max(FEWEST, round(FEWEST_OUTSIDE / (1 - level)))
    some = next((which for which in wider if which.sum() >= fewest), known)
    own = np.sort(score[some])
    rank = min(int(np.ceil((own.size + 1) * level)), own.size)
    return float(f"{own[rank - 1]:.4g}")


def _evidence(rotating: Mapping[str, np.ndarray], quiet: Mapping[str, np.ndarray]) -> np.ndarray:
    """Weights that tell rotators with a right period from stars without rotation, as many of these as of those."""
    right = _right(rotating) & (rotating["reliability"] > 0)
    known = [evidence_features(rotating)[right], evidence_features(quiet)[quiet["reliability"] > 0]]
    known = [x[np.isfinite(x).all(axis=1)] for x in known]
    if not all(len(x) for x in known):
        raise InputError("check.sets: no rotator found, or nothing like one among the quiet stars; give more stars")
    x = np.concatenate([known[0], -known[1]])
    weight = np.concatenate([np.full(len(part), 0.5 / len(part)) for part in known])
    return _logistic(x, weight)


def _logistic(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weights w that make ``sum weight ln expit(x w)`` greatest; features of the other kind come with their sign.

    Args:
        x: shape (n, f), the constant first.
        weight: of each row, summing to 1.
    """

    def loss(w: np.ndarray) -> float:
        return float(-weight @ log_expit(x @ w) + RIDGE * (w[1:] @ w[1:]))

    return np.array([float(f"{v:.4g}") for v in minimize(loss, np.zeros(x.shape[1])).x])


def _ln_alarm(evidence: np.ndarray) -> tuple[float, ...]:
    """Logarithm of the fraction with at least each evidence, an exponential tail where fewer than `FEW` have.

    The tail falls with the mean excess of the `TAIL` largest over the least of them, the maximum of its likelihood
    (Pickands 1975, Ann. Stat. 3, 119, for a shape of 0).
    """
    counts = np.array([np.sum(evidence >= x) for x in ALARM_EVIDENCE], float)
    fraction = np.log(np.maximum(counts, 1) / evidence.size)
    known = max(int(np.sum(counts >= FEW)), 1)
    largest = np.sort(evidence[np.isfinite(evidence)])[-TAIL:]
    excess = float(np.mean(largest - largest[0])) if largest.size > 1 else np.inf
    x = np.array(ALARM_EVIDENCE)
    slope = min(-1 / max(excess, 1e-9), SHALLOWEST)
    tail = fraction[known - 1] + slope * (x[known:] - x[known - 1])
    return tuple(float(f"{v:.4g}") for v in [*fraction[:known], *tail])


def _right_periods(rotating: Mapping[str, np.ndarray]) -> tuple[tuple[float, ...], ...]:
    """Logistic regression, for each regime of baseline, of whether a period is right; of all stars where it has few."""
    half = half_width(rotating["prot_lower_raw"], rotating["prot_upper_raw"])
    features = right_features(half, rotating["lnl_rotation"], rotating["baseline"] / rotating["prot"])
    right = _right(rotating)
    fitted, place = np.isfinite(features).all(axis=1), np.digitize(rotating["baseline"], BASELINE_EDGES)
    rows = []
    for j in range(len(BASELINE_EDGES) + 1):
        own = fitted & (place == j)
        some = own if own.sum() >= FEWEST else fitted
        x = features[some] * np.where(right[some], 1.0, -1.0)[:, None]
        rows.append(tuple(_logistic(x, np.full(len(x), 1 / len(x))).tolist()))
    return tuple(rows)


def _right(rotating: Mapping[str, np.ndarray]) -> np.ndarray:
    return matches(rotating["prot"], rotating["true_peq"], rotating["true_prot"])[0]
