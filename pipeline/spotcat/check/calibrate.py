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
from spotcat.verdict.calibration import LEVELS, QUANTITIES, Calibration, half_width, right_features, settings

GAIN_EDGES = (3.0, 6.0, 12.0, 30.0, 100.0, 300.0)
BASELINE_EDGES = (60.0, 500.0)
"""Between a TESS sector, half a year, and a whole mission [d]."""
FEWEST, FEWEST_OUTSIDE = 150, 10
"""A regime of gain with fewer stars, or fewer of them outside the interval, borrows those of its neighbours at the same
baseline, and where these are too few, all."""
RIDGE = 1e-3
"""Keeps the regression finite where all periods are right."""
ALARM_GAINS = (*(2.0 * i for i in range(16)), *(10.0 * i for i in range(4, 11)))
"""Up to what a drift gains in four years."""


def learn(
    rotating: Mapping[str, np.ndarray], quiet: Mapping[str, np.ndarray], version: str, config: FitConfig
) -> Calibration:
    """Make a table.

    Args:
        rotating: of simulated rotators, the columns ``lnl_rotation``, ``baseline``, ``lifetime_flag``, the quantities
            with their raw intervals, and ``true_prot``, ``true_peq`` and ``true_spot_lifetime``, NaN where there is no
            truth; arrays of shape (n,).
        quiet: of simulated stars without rotation ``lnl_rotation``, minus infinity where the verdict refuses them
            anyway, and ``baseline``; arrays of shape (m,).
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
    place = np.digitize(quiet["baseline"], BASELINE_EDGES)
    alarms = []
    for j in range(len(BASELINE_EDGES) + 1):
        own = quiet["lnl_rotation"][place == j]
        alarms.append(_ln_alarm(own if own.size >= FEWEST else quiet["lnl_rotation"]))
    right = _right_periods(rotating)
    origin = version, __version__, settings(config)
    return Calibration(*origin, GAIN_EDGES, BASELINE_EDGES, factors, ALARM_GAINS, tuple(alarms), right)


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


def _ln_alarm(gain: np.ndarray) -> tuple[float, ...]:
    """Logarithm of the fraction with at least each gain, an exponential tail where fewer than ten have."""
    counts = np.array([np.sum(gain >= x) for x in ALARM_GAINS], float)
    fraction = np.log(np.maximum(counts, 1) / gain.size)
    known = max(int(np.sum(counts >= 10)), 2)
    gains = np.array(ALARM_GAINS)
    slope = (fraction[known - 1] - fraction[0]) / (gains[known - 1] - gains[0])
    tail = fraction[known - 1] + slope * (gains[known:] - gains[known - 1])
    return tuple(float(f"{v:.4g}") for v in [*fraction[:known], *tail])


def _right_periods(rotating: Mapping[str, np.ndarray]) -> tuple[tuple[float, ...], ...]:
    """Logistic regression, for each regime of baseline, of whether a period is right; of all stars where it has few."""
    half = half_width(rotating["prot_lower_raw"], rotating["prot_upper_raw"])
    features = right_features(half, rotating["lnl_rotation"])
    right = matches(rotating["prot"], rotating["true_peq"], rotating["true_prot"])[0]
    fitted, place = np.isfinite(features).all(axis=1), np.digitize(rotating["baseline"], BASELINE_EDGES)
    rows = []
    for j in range(len(BASELINE_EDGES) + 1):
        own = fitted & (place == j)
        some = own if own.sum() >= FEWEST else fitted
        x, sign = features[some], np.where(right[some], 1.0, -1.0)

        def loss(w: np.ndarray, x: np.ndarray = x, sign: np.ndarray = sign) -> float:
            return float(-np.mean(log_expit(sign * (x @ w))) + RIDGE * (w[1:] @ w[1:]))

        rows.append(tuple(float(f"{v:.4g}") for v in minimize(loss, np.zeros(x.shape[1])).x))
    return tuple(rows)
