"""From fits to catalog columns: quantiles, flags, statuses and what the light curve itself tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spotcat.config import FitConfig
from spotcat.fit.buckets import BucketSpec, GridBatch, Measurements, grid_stars
from spotcat.fit.calibration import QUANTITIES, calibrated, calibration_of
from spotcat.fit.classical import autocorrelation_periods, lomb_scargle_periods
from spotcat.fit.coherence import FEWEST_CYCLES, pulsating
from spotcat.fit.dips import dipping
from spotcat.fit.modes import Fit
from spotcat.fit.posterior import KEPT, Quantities, kept, rotating_share, shrinkage
from spotcat.fit.steps import stepping
from spotcat.status import Flag, LifetimeFlag, ParameterFlag, Status

NOT_CONVERGED_ABOVE = 3.0
"""Expected gain in log-posterior of a further step above which a fit is not called converged."""

LIFETIME_BASELINE = 60.0
"""Shorter light curves [d] only limit a lifetime from below: in 300 simulated TESS sectors 17 lifetimes seemed to be
under a third of the baseline, and 3 of these were right to 30 %."""
BASELINE_LIVES = 3.0
"""A baseline of fewer lifetimes only limits them from below: on simulated stars nine in ten lifetimes up to a third of
the baseline were right to 30 %, two in ten between that and half of it."""

LEAST_SHARE = 0.1
"""A rotation that carries less of the variance that is not white is a feature of something else: of 36 real rotators
the least carries 0.16, of the noise that gains as much as a detection all but one less than 0.1."""
LEAST_CYCLES = 2.5
"""Over fewer cycles a drift and an offset of each orbit are as periodic as a rotation."""
LEAST_ROTATIONS = 1.3
"""Spots that live for less are no sign of a period: what wanders is fitted so.  Of simulated quiet sectors that gain 8
or more, three in four come out so; of the right detections of half a year 1 in 100, of a sector none."""
STRICT_LIVES = 2.5
"""Spots that outlive so many baselines, over ``FEWEST_CYCLES`` at least, may be no spots."""

MEASURED_SHRINKAGE = 0.75
"""A shear or an inclination whose variance is above a quarter of its prior's is the prior's."""

_DATA_COLUMNS = ("baseline", "duty", "longest_segment", "rvar", "sph")


class FitTable(NamedTuple):
    """Catalog columns and per-star arrays, in the order of the light curves.

    Attributes:
        columns: one array of shape (n,) for each column that the fit knows.
        arrays: ``gp_period``, ``gp_periodogram`` (n, n_period), ``fit_vector`` (n, n_theta), and ``prot_draws`` and
            its like (n, KEPT_DRAWS).
    """

    columns: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]


def fit_table(
    fit: Fit, gain: np.ndarray, stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig
) -> FitTable:
    """The rows of some stars.

    Args:
        fit: their fits.
        gain: their GP periodograms, shape (n, n_period).
        stars: their light curves.
        spec: their bucket.
        config: settings of the steps.

    Returns:
        One row for each star; a star that could not be fitted has a status and NaNs.
    """
    columns = _columns(fit, stars, spec, config)
    failed = ~np.isin(columns["status"], (Status.OK, Status.NOT_CONVERGED))
    for name, values in columns.items():
        if name not in (*_DATA_COLUMNS, "dt") and values.dtype.kind == "f":
            columns[name] = np.where(failed, np.nan, values)
    for name in ("rotating", "flags"):
        columns[name][failed] = 0  # nothing is known of a fit that is none
    for flag in ("lifetime_flag", "kappa_flag", "inc_flag"):
        columns[flag][failed] = LifetimeFlag.NOT_FITTED
    arrays: dict[str, np.ndarray] = {
        "gp_period": np.broadcast_to(spec.periods(config), gain.shape),
        "gp_periodogram": gain,
        "fit_vector": fit.theta,
    }
    arrays |= {f"{name}_draws": kept(getattr(fit.draws, name)) for name in KEPT}
    return FitTable(columns, {name: np.where(failed[:, None], np.nan, a) for name, a in arrays.items()})


def _columns(fit: Fit, stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig) -> dict[str, np.ndarray]:
    periods = spec.periods(config)
    batch = grid_stars(stars, spec.whole)
    fine = grid_stars(stars, spec.finest_grid) if spec.finest else batch
    dt = spec.finest_grid.dt
    levels = fit.theta[:, spec.layout(config).levels]
    dips = dipping(fine, dt, fit.best.prot, fit.best.spot_lifetime, levels)
    steps = stepping(fine, dt, fit.gain >= config.detection)
    columns: dict[str, np.ndarray] = dict(fit.best._asdict())
    for name, draws in fit.draws._asdict().items():
        columns[f"{name}_lower"], columns[f"{name}_upper"] = np.percentile(draws, [16, 84], axis=1)
    columns |= {
        "p_second": fit.second.prot,
        "p_second_lnodds": fit.lnodds,
        "p_half_lnodds": fit.half_lnodds,
        "p_double_lnodds": fit.double_lnodds,
        "p_ls": lomb_scargle_periods(fine.y, fine.mask, fine.elapsed, dt, periods[0], periods[-1]),
        # White noise would bury the autocorrelation's first peak in a fine grid.
        "p_acf": autocorrelation_periods(batch.y, batch.mask, batch.reach, spec.dt, periods[0], periods[-1]),
        "lnl_rotation": fit.gain,
        "dt": fit.dt,
    }
    columns |= describing(fine, dt, columns["prot"])
    columns |= calibrated(columns, calibration_of(config))
    if config.sampler != "laplace":
        columns |= _sampled_intervals(columns, fit.draws)
    columns |= {name: getattr(fit, name) for name in ("n_eff", "pareto_k", "r_hat", "n_divergent")}
    columns["rotating_share"] = rotating_share(fit.theta, spec.layout(config))
    columns["reliability"] = np.where(dips | steps | no_rotation(columns), 0.0, columns["reliability"])
    detected = (fit.gain >= config.detection) & (columns["false_alarm"] <= config.false_alarm)
    detected &= columns["reliability"] >= config.reliability
    columns["rotating"] = detected.astype(np.int8)
    columns["amplitude_limit"] = np.percentile(fit.draws.amplitude, 95, axis=1)
    shrunk = shrinkage(fit.draws, spec.layout(config).priors)
    columns |= {f"{name}_shrinkage": share for name, share in shrunk.items()}
    memory = np.where(batch.reach < batch.mask.shape[1], batch.reach * spec.dt, np.inf)
    columns["lifetime_flag"] = _lifetime_flag(columns, fit.draws, memory)
    columns |= {f"{name}_flag": _parameter_flag(columns, shrunk[name]) for name in ("kappa", "inc")}
    strict = pulsating(fine, dt, columns["prot"], columns["rotating"] == 1)
    columns["status"], columns["flags"] = _status(fit, batch), fit_flags(columns, dips, steps, strict, periods)
    columns["reason"] = np.array([Status(s).words for s in columns["status"]])
    return columns


def no_rotation(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Which fits no gain makes a rotation: of little variance, over few cycles, or of spots too short-lived.

    Args:
        columns: ``rotating_share``, ``baseline`` [d], ``prot`` [d] and ``n_life_rot``, shape (n,) each.

    Returns:
        Truth values, shape (n,).
    """
    found = (columns["rotating_share"] < LEAST_SHARE) | (columns["baseline"] < LEAST_CYCLES * columns["prot"])
    return np.asarray(found | ~(columns["n_life_rot"] >= LEAST_ROTATIONS))


def _sampled_intervals(columns: dict[str, np.ndarray], draws: Quantities) -> dict[str, np.ndarray]:
    """The intervals that the calibration of Laplace intervals says nothing of, as they were sampled."""
    out: dict[str, np.ndarray] = {}
    for name in QUANTITIES:
        out |= {f"{name}_{end}": columns[f"{name}_{end}_raw"] for end in ("lower", "upper")}
        out[f"{name}_lower95"], out[f"{name}_upper95"] = np.percentile(getattr(draws, name), [2.5, 97.5], axis=1)
    return out


def describing(batch: GridBatch, dt: float, prot: np.ndarray) -> dict[str, np.ndarray]:
    """Columns that describe the light curve itself.

    Args:
        batch: light curves on a fine grid, B of them.
        dt: its step [d].
        prot: fitted rotation periods [d], shape (B,).

    Returns:
        ``baseline``, ``duty``, ``longest_segment``, ``rvar`` and ``sph``, shape (B,) each.
    """
    rows = []
    arrays = batch.y, batch.mask, batch.segment, batch.elapsed, batch.scale, prot
    for y, mask, segment, elapsed, scale, p in zip(*arrays, strict=True):
        seen = np.flatnonzero(mask)
        time = elapsed[seen]
        flux, where = y[seen] * scale, segment[seen]
        lengths = [np.ptp(seen[where == s]) for s in np.unique(where)]
        window = np.floor(time / (5 * p)) if np.isfinite(p) else np.zeros_like(time)
        scatter = [flux[window == w].std() for w in np.unique(window)]
        low, high = np.percentile(flux, [5, 95])
        span = np.ptp(time)
        extent = span, seen.size / (span / dt + 1), max(lengths) * dt
        rows.append((*extent, high - low, np.mean(scatter)))
    return dict(zip(_DATA_COLUMNS, np.array(rows).T, strict=True))


def _lifetime_flag(columns: dict[str, np.ndarray], draws: Quantities, memory: np.ndarray) -> np.ndarray:
    """What each fitted lifetime is worth; a later rule overrides an earlier one.

    Args:
        columns: of the fitted stars.
        draws: from their posteriors.
        memory: longest lag [d] that each light curve shows, infinite where no gap was closed.
    """
    flag = np.full(len(columns["prot"]), LifetimeFlag.MEASURED, dtype=np.int8)
    ln_life = np.log(draws.spot_lifetime)
    covariance = np.mean(
        (ln_life - ln_life.mean(1, keepdims=True)) * (draws.kappa - draws.kappa.mean(1, keepdims=True)),
        axis=1,
    )
    correlation = covariance / np.maximum(ln_life.std(1) * draws.kappa.std(1), 1e-12)
    flag[np.abs(correlation) > 0.7] = LifetimeFlag.DEGENERATE_WITH_SHEAR
    flag[columns["n_life_rot_lower"] < 1.0] = LifetimeFlag.UPPER_LIMIT
    # Long gaps show no spot live or decay: what counts is the time that was measured.
    needed = np.maximum(BASELINE_LIVES * columns["spot_lifetime"], LIFETIME_BASELINE)
    flag[columns["baseline"] * columns["duty"] < needed] = LifetimeFlag.LOWER_LIMIT
    flag[columns["spot_support"] > memory] = LifetimeFlag.LOWER_LIMIT
    flag[columns["rotating"] == 0] = LifetimeFlag.NOT_DETECTED
    return flag


def _parameter_flag(columns: dict[str, np.ndarray], shrunk: np.ndarray) -> np.ndarray:
    flag = np.where(shrunk >= MEASURED_SHRINKAGE, ParameterFlag.MEASURED, ParameterFlag.PRIOR_DOMINATED)
    return np.where(columns["rotating"] == 0, ParameterFlag.NOT_DETECTED, flag).astype(np.int8)


def _status(fit: Fit, batch: GridBatch) -> np.ndarray:
    status = np.full(len(fit.value), Status.OK, dtype=np.int8)
    status[~(np.abs(fit.left) < NOT_CONVERGED_ABOVE)] = Status.NOT_CONVERGED
    status[~np.isfinite(fit.value)] = Status.FIT_FAILED
    status[np.all(batch.y == 0, axis=1)] = Status.CONSTANT_FLUX
    return status


def fit_flags(
    columns: dict[str, np.ndarray], dips: np.ndarray, steps: np.ndarray, strict: np.ndarray, periods: np.ndarray
) -> np.ndarray:
    """The bits of ``flags`` that a finished fit sets.

    Args:
        columns: of the fitted stars, those of ``rotating``, the periods, lifetime, baseline and odds, shape (n,) each.
        dips: which stars have narrow dips, shape (n,).
        steps: which ones have steps at even intervals, shape (n,).
        strict: which ones have several strict frequencies, shape (n,).
        periods: of the search [d], ascending.

    Returns:
        Shape (n,), int32.
    """
    prot, peq = columns["prot"], columns["peq"]

    def agrees(other: np.ndarray, factor: float = 1.0) -> np.ndarray:
        return np.abs(np.log(other * factor / prot)) < 0.15

    classical = np.stack([columns["p_ls"], columns["p_acf"]])
    alias = agrees(columns["p_second"], 2.0) | agrees(columns["p_second"], 0.5)
    bits = {
        Flag.NOT_DETECTED: columns["rotating"] == 0,
        Flag.PRIOR_EDGE: (peq < periods[0] * 1.02) | (peq > periods[-1] / 1.02),
        Flag.ALIAS_POSSIBLE: alias & (columns["p_second_lnodds"] > -3),
        Flag.FEW_CYCLES: columns["baseline"] < 3 * prot,
        Flag.ECLIPSES_SUSPECTED: dips,
        Flag.STEPS_SUSPECTED: steps,
        Flag.STRICTLY_PERIODIC: strict
        | (columns["spot_lifetime"] > STRICT_LIVES * columns["baseline"])
        & (columns["baseline"] > FEWEST_CYCLES * prot)
        & (columns["rotating"] == 1),
        # A method without a period says nothing against one.
        Flag.METHODS_DISAGREE: np.isfinite(classical).any(axis=0) & ~agrees(classical).any(axis=0),
    }
    flags = np.zeros(len(prot), dtype=np.int32)
    for bit, where in bits.items():
        flags |= np.where(where, int(bit), 0).astype(np.int32)
    return flags
