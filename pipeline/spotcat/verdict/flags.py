"""What qualifies a fit: the bits of ``flags`` and what its lifetime, shear and inclination are worth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spotcat.status import Flag, LifetimeFlag, ParameterFlag
from spotcat.verdict.thresholds import THRESHOLDS


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
    flag[np.abs(correlation) > THRESHOLDS.shear_correlation] = LifetimeFlag.DEGENERATE_WITH_SHEAR
    flag[columns["n_life_rot_lower"] < THRESHOLDS.least_life] = LifetimeFlag.UPPER_LIMIT
    # Long gaps show no spot live or decay: what counts is the time that was measured.
    needed = np.maximum(THRESHOLDS.baseline_lives * columns["spot_lifetime"], THRESHOLDS.lifetime_baseline)
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
    flag = np.where(shrunk >= THRESHOLDS.measured_shrinkage, ParameterFlag.MEASURED, ParameterFlag.PRIOR_DOMINATED)
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
        return np.abs(np.log(other * factor / prot)) < THRESHOLDS.period_agrees

    classical = np.stack([columns["p_ls"], columns["p_acf"]])
    alias = agrees(columns["p_second"], 2.0) | agrees(columns["p_second"], 0.5)
    bits = {
        Flag.NOT_DETECTED: columns["rotating"] == 0,
        Flag.PRIOR_EDGE: (peq < periods[0] * THRESHOLDS.edge) | (peq > periods[-1] / THRESHOLDS.edge),
        Flag.ALIAS_POSSIBLE: alias & (columns["p_second_lnodds"] > THRESHOLDS.alias_odds),
        Flag.FEW_CYCLES: columns["baseline"] < THRESHOLDS.few_cycles * prot,
        Flag.ECLIPSES_SUSPECTED: dips,
        Flag.STEPS_SUSPECTED: steps,
        Flag.SEVERAL_FREQUENCIES: strict,
        Flag.STRICTLY_PERIODIC: strict
        | (columns["spot_lifetime"] > THRESHOLDS.strict_lives * columns["baseline"])
        & (columns["baseline"] > THRESHOLDS.strict_cycles * prot)
        & (columns["rotating"] == 1),
        # A method without a period says nothing against one.
        Flag.METHODS_DISAGREE: np.isfinite(classical).any(axis=0) & ~agrees(classical).any(axis=0),
    }
    flags = np.zeros(len(prot), dtype=np.int32)
    for bit, where in bits.items():
        flags |= np.where(where, int(bit), 0).astype(np.int32)
    return flags
