"""What qualifies a fit: the bits of ``flags`` and what its lifetime, shear and inclination are worth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spotcat.status import Flag, LifetimeFlag, ParameterFlag
from spotcat.verdict.coherence import FEWEST_CYCLES

LIFETIME_BASELINE = 60.0
"""Shorter light curves [d] only limit a lifetime from below: in 300 simulated TESS sectors 17 lifetimes seemed to be
under a third of the baseline, and 3 of these were right to 30 %."""
BASELINE_LIVES = 3.0
"""A baseline of fewer lifetimes only limits them from below: on simulated stars nine in ten lifetimes up to a third of
the baseline were right to 30 %, two in ten between that and half of it."""
STRICT_LIVES = 2.5
"""Spots that outlive so many baselines, over ``FEWEST_CYCLES`` at least, may be no spots."""
MEASURED_SHRINKAGE = 0.75
"""A shear or an inclination whose variance is above a quarter of its prior's is the prior's."""


def lifetime_flags(
    columns: Mapping[str, np.ndarray], lifetimes: np.ndarray, shears: np.ndarray, memory: np.ndarray
) -> np.ndarray:
    """What each fitted lifetime is worth, codes of `LifetimeFlag`; a later rule overrides an earlier one.

    Args:
        columns: of the fitted stars, those of ``rotating``, the period, the lifetime and what was measured; (n,) each.
        lifetimes: posterior draws of the spot lifetime [d], shape (n, D).
        shears: those of the relative shear, shape (n, D).
        memory: longest lag [d] that each light curve shows, infinite where no gap was closed, shape (n,).

    Returns:
        Shape (n,), int8.
    """
    flag = np.full(len(columns["prot"]), LifetimeFlag.MEASURED, dtype=np.int8)
    ln_life = np.log(lifetimes)
    covariance = np.mean(
        (ln_life - ln_life.mean(1, keepdims=True)) * (shears - shears.mean(1, keepdims=True)),
        axis=1,
    )
    correlation = covariance / np.maximum(ln_life.std(1) * shears.std(1), 1e-12)
    flag[np.abs(correlation) > 0.7] = LifetimeFlag.DEGENERATE_WITH_SHEAR
    flag[columns["n_life_rot_lower"] < 1.0] = LifetimeFlag.UPPER_LIMIT
    # Long gaps show no spot live or decay: what counts is the time that was measured.
    needed = np.maximum(BASELINE_LIVES * columns["spot_lifetime"], LIFETIME_BASELINE)
    flag[columns["baseline"] * columns["duty"] < needed] = LifetimeFlag.LOWER_LIMIT
    flag[columns["spot_support"] > memory] = LifetimeFlag.LOWER_LIMIT
    flag[columns["rotating"] == 0] = LifetimeFlag.NOT_DETECTED
    return flag


def parameter_flags(shrunk: np.ndarray, rotating: np.ndarray) -> np.ndarray:
    """What each fitted shear or inclination is worth, codes of `ParameterFlag`.

    Args:
        shrunk: ``1 - var(posterior) / var(prior)`` of the parameter, shape (n,).
        rotating: 1 where a rotation was detected, shape (n,).

    Returns:
        Shape (n,), int8.
    """
    flag = np.where(shrunk >= MEASURED_SHRINKAGE, ParameterFlag.MEASURED, ParameterFlag.PRIOR_DOMINATED)
    return np.where(rotating == 0, ParameterFlag.NOT_DETECTED, flag).astype(np.int8)


def fit_flags(
    columns: Mapping[str, np.ndarray], dips: np.ndarray, steps: np.ndarray, strict: np.ndarray, periods: np.ndarray
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
