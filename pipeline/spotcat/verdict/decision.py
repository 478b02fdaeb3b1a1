"""The decision: whether a fit is a rotation, how far to trust it, and what qualifies it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from spotcat.config import FitConfig
from spotcat.model.grid import GridBatch
from spotcat.status import Flag, Status
from spotcat.verdict.calibration import calibrated, calibration_of, differences
from spotcat.verdict.classical import autocorrelation_periods, lomb_scargle_periods
from spotcat.verdict.coherence import pulsating
from spotcat.verdict.describing import describing
from spotcat.verdict.dips import Dips, dipping
from spotcat.verdict.flags import fit_flags, lifetime_flags, parameter_flags
from spotcat.verdict.steps import stepping
from spotcat.verdict.thresholds import THRESHOLDS


class Seen(NamedTuple):
    """The light curves of some stars.

    Attributes:
        fine: on a grid as fine as the shortest period asks for.
        dt: its step [d].
        coarse: on the grid of the search, which may be the same.
        coarse_dt: its step [d].
        periods: of the search [d], ascending, shape (n_period,).
        dips: narrow dips that were found in them; the repeating ones are not in `fine` and `coarse`.
    """

    fine: GridBatch
    dt: float
    coarse: GridBatch
    coarse_dt: float
    periods: np.ndarray
    dips: Dips


class Fitted(NamedTuple):
    """What a verdict reads of their fits beside catalog columns, leading axis the star.

    Attributes:
        value: log-posterior, not finite where there is no fit, shape (n,).
        left: what a further step of the fit was expected to gain, shape (n,).
        levels: fitted levels of the harmonics 0, 1, ..., shape (n, n_harm + 1).
        lifetimes: posterior draws of the spot lifetime [d], shape (n, D).
        shears: those of the relative shear, shape (n, D).
        shrunk: ``1 - var(posterior) / var(prior)`` of ``kappa`` and ``inc``, shape (n,) each.
    """

    value: np.ndarray
    left: np.ndarray
    levels: np.ndarray
    lifetimes: np.ndarray
    shears: np.ndarray
    shrunk: Mapping[str, np.ndarray]


def verdict(columns: Mapping[str, np.ndarray], fitted: Fitted, seen: Seen, config: FitConfig) -> dict[str, np.ndarray]:
    """What may be believed of some fits.

    Args:
        columns: the fitted quantities with their raw intervals, ``lnl_rotation``, ``rotating_share``, ``white_noise``
            and the period and odds of a second mode, shape (n,) each.
        fitted: what else is read of the fits.
        seen: their light curves.
        config: settings of the fit.

    Returns:
        Columns of shape (n,): what the light curve tells by itself, calibrated intervals, ``false_alarm``,
        ``reliability``, ``rotating``, ``status`` with its ``reason``, and all flags.

    Raises:
        InputError: the calibration that the settings name cannot be read or does not fit them.
    """
    fine, coarse, periods, gain = seen.fine, seen.coarse, seen.periods, columns["lnl_rotation"]
    prot = columns["prot"]
    told = {
        "p_ls": lomb_scargle_periods(fine.y, fine.mask, fine.elapsed, seen.dt, periods[0], periods[-1]),
        # White noise would bury the autocorrelation's first peak in a fine grid.
        "p_acf": autocorrelation_periods(coarse.y, coarse.mask, coarse.reach, seen.coarse_dt, periods[0], periods[-1]),
    }
    told |= describing(fine, seen.dt, prot)
    table = calibration_of(config)
    told |= calibrated({**columns, **told}, table)
    dips = _dips_left(columns, fitted, seen)
    told |= {f"dip_{name}": getattr(seen.dips, name) for name in ("period", "duration", "depth")}
    steps = stepping(fine, seen.dt, gain >= config.detection)
    refused = dips | steps | no_rotation({**columns, **told}) | outside(columns["peq"], periods)
    told["reliability"] = np.where(refused, 0.0, told["reliability"])
    told["rotating"] = detected(gain, told["false_alarm"], told["reliability"], config).astype(np.int8)
    known = {**columns, **told}
    memory = np.where(coarse.reach < coarse.mask.shape[1], coarse.reach * seen.coarse_dt, np.inf)
    told["lifetime_flag"] = lifetime_flags(known, fitted.lifetimes, fitted.shears, memory)
    told |= {f"{name}_flag": parameter_flags(fitted.shrunk[name], told["rotating"]) for name in ("kappa", "inc")}
    strict = pulsating(fine, seen.dt, prot, told["rotating"] == 1)
    told["status"], told["flags"] = (
        statuses(fitted, coarse),
        fit_flags(known, seen.dips.found, steps, strict, periods),
    )
    # Only the shipped table can be of other settings: a file of others is refused.
    told["flags"] |= np.int32(Flag.UNCALIBRATED if differences(table, config) else 0)
    told["reason"] = np.array([Status(s).words for s in told["status"]])
    return told


def outside(peq: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Which fits have left the periods of the search: the best one may be further out.

    Args:
        peq: equatorial periods [d], shape (n,).
        periods: of the search [d], ascending.

    Returns:
        Truth values, shape (n,).
    """
    return np.asarray((peq * THRESHOLDS.edge < periods[0]) | (peq > THRESHOLDS.edge * periods[-1]))


def _dips_left(columns: Mapping[str, np.ndarray], fitted: Fitted, seen: Seen) -> np.ndarray:
    """Which light curves have narrow dips even without the repeating ones; truth values of shape (n,)."""
    found, boxed = seen.dips.found.copy(), np.isfinite(seen.dips.period)
    if boxed.any():
        some = GridBatch(*(a[boxed] for a in seen.fine))
        prot, lifetime = columns["prot"][boxed], columns["spot_lifetime"][boxed]
        found[boxed] = dipping(some, seen.dt, prot, lifetime, fitted.levels[boxed]).found
    return found


def detected(gain: np.ndarray, false_alarm: np.ndarray, reliability: np.ndarray, config: FitConfig) -> np.ndarray:
    """Which fits are called rotations by the settings ``detection``, ``false_alarm`` and ``reliability``.

    Args:
        gain: ``lnl_rotation``, shape (n,).
        false_alarm: probability that a star without rotation has as much evidence, shape (n,).
        reliability: probability that neither noise nor a wrong mode made the period, shape (n,).
        config: the settings.

    Returns:
        Truth values, shape (n,).
    """
    found = (gain >= config.detection) & (false_alarm <= config.false_alarm)
    return np.asarray(found & (reliability >= config.reliability))


def no_rotation(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which fits no gain makes a rotation: of little variance, over few cycles, or of spots too short-lived.

    Args:
        columns: ``rotating_share``, ``baseline`` [d], ``prot`` [d] and ``n_life_rot``, shape (n,) each.

    Returns:
        Truth values, shape (n,).
    """
    found = columns["rotating_share"] < THRESHOLDS.least_share
    found |= columns["baseline"] < THRESHOLDS.least_cycles * columns["prot"]
    return np.asarray(found | ~(columns["n_life_rot"] >= THRESHOLDS.least_rotations))


def statuses(fitted: Fitted, coarse: GridBatch) -> np.ndarray:
    """How far each fit got, codes of `Status`, shape (n,), int8."""
    status = np.full(len(fitted.value), Status.OK, dtype=np.int8)
    status[~(np.abs(fitted.left) < THRESHOLDS.not_converged)] = Status.NOT_CONVERGED
    status[~np.isfinite(fitted.value)] = Status.FIT_FAILED
    status[np.all(coarse.y == 0, axis=1)] = Status.CONSTANT_FLUX
    return status
