"""What an observation can tell before it is made: Cramer-Rao bounds from the Fisher information."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from spotcat.gp.solver import GPSolver
from spotcat.gp.terms import KernelSum
from spotcat.star.evolution import SpotEvolutionModel

_DEGENERATE = 1e-12


class Sensitivity(NamedTuple):
    """Smallest standard errors that any unbiased estimate can have.

    Attributes:
        error: by parameter name, in the parameter's own unit; infinite where the data say nothing.
        relative: the same over the parameter's value.
        covariance: of the parameters, in the order of `error`, shape (p, p).
    """

    error: dict[str, float]
    relative: dict[str, float]
    covariance: np.ndarray


def sensitivity(
    model: SpotEvolutionModel | KernelSum, x: ArrayLike, yerr: ArrayLike, *, segment: ArrayLike | None = None
) -> Sensitivity:
    """Cramer-Rao bounds on all parameters of a model for times and errors to come.

    Args:
        model: what is assumed to be true.
        x: times [d], shape (n,).
        yerr: standard errors [relative flux], scalar or shape (n,).
        segment: segment number of every time, each with an offset of its own; one segment by default.
    """
    times = np.asarray(x, dtype=float)
    solver = GPSolver(times, np.zeros(times.size), np.asarray(yerr, dtype=float), model, segment=segment)
    values = solver.theta0
    scale = np.where(values == 0, 1.0, np.abs(values))
    level, axes = np.linalg.eigh(solver.fisher() * scale[:, None] * scale[None, :])
    known = level > _DEGENERATE * level.max()
    inverse = (axes[:, known] / level[known]) @ axes[:, known].T
    lost = np.abs(axes[:, ~known]).max(axis=1, initial=0.0) > 1e-3
    relative = np.where(lost, np.inf, np.sqrt(np.diagonal(inverse)))
    named = dict(zip(solver.param_keys, (relative * scale).tolist(), strict=True))
    fractions = np.where(values == 0, np.inf, relative).tolist()
    return Sensitivity(
        named, dict(zip(solver.param_keys, fractions, strict=True)), inverse * scale[:, None] * scale[None, :]
    )


def baseline_needed(
    model: SpotEvolutionModel | KernelSum,
    precision: Mapping[str, float],
    yerr: float,
    *,
    cadence: float = 0.5,
    longest: float = 400.0,
) -> dict[str, float]:
    """Baseline [d] from which each parameter can be known to a relative precision.

    Args:
        model: what is assumed to be true.
        precision: relative standard error wanted, by parameter name.
        yerr: standard error of one measurement [relative flux].
        cadence: of the measurements [d].
        longest: baseline [d] to give up at; then the answer is infinite.

    Returns:
        By parameter name, to a fifth of the value.

    Raises:
        ValueError: a name is not a parameter of the model.
    """
    unknown = set(precision) - set(model.param_dict)
    if unknown:
        raise ValueError(f"no such parameter: {', '.join(sorted(unknown))}; there are {', '.join(model.param_dict)}")
    needed = dict.fromkeys(precision, np.inf)
    baseline = max(20 * cadence, 8.0)
    while baseline <= longest and not all(np.isfinite(v) for v in needed.values()):
        found = sensitivity(model, np.arange(0, baseline, cadence), yerr).relative
        for key, wanted in precision.items():
            if not np.isfinite(needed[key]) and found[key] <= wanted:
                needed[key] = baseline
        baseline *= 1.2
    return needed
