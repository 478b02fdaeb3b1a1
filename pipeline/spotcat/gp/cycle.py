"""An amplitude that changes with time: activity cycles.

``K(t, t') = s(t) s(t') k(t - t')`` is a covariance for any amplitude ``s``: that of a light curve whose deficit is
multiplied by it.  Where ``s`` changes little over a spot's life it is also that of spots that emerge larger or more
often at some times than at others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.gp.kernel import AnalyticKernel
from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.parameters import INFINITE, Parameters


class Amplitude(Protocol):
    """Amplitude relative to the model's `sigma_k` at times [d]."""

    def __call__(self, t: ArrayLike) -> Array:
        """At time `t` [d], any shape."""
        ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class ActivityCycle(Parameters):
    """A sinusoidal cycle, ``s(t) = 1 + depth cos(2 pi t / period + phase)``.

    Attributes:
        cycle_period: its length [d].
        cycle_depth: its depth, between 0 and 1.
        cycle_phase: its phase at time zero [rad].
    """

    cycle_period: Any
    cycle_depth: Any
    cycle_phase: Any = 0.0

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "cycle_depth": (0.0, 1.0),
        "cycle_phase": (-INFINITE, INFINITE),
    }

    def __call__(self, t: ArrayLike) -> Array:
        """Relative amplitude at time `t` [d]."""
        turns = 2 * jnp.pi * jnp.asarray(t, float) / self.cycle_period
        return 1 + self.cycle_depth * jnp.cos(turns + self.cycle_phase)


class NonstationaryKernel:
    """The covariance of a star whose `sigma_k` changes with time."""

    def __init__(self, model: SpotEvolutionModel, amplitude: Amplitude) -> None:
        """Wrap a model with concrete parameters.

        Args:
            model: the star; its `sigma_k` is multiplied by the amplitude.
            amplitude: of time [d], for instance an ``ActivityCycle``.
        """
        self.model = model
        self.amplitude = amplitude
        self._stationary = AnalyticKernel(model)

    def matrix(self, t1: ArrayLike, t2: ArrayLike | None = None) -> np.ndarray:
        """Covariance between the fluxes at times `t1` and `t2` [d]; of `t1` with itself by default.

        Returns:
            Shape (len(t1), len(t2)).
        """
        first = np.asarray(t1, float)
        second = first if t2 is None else np.asarray(t2, float)
        with jax.enable_x64(True):
            s1, s2 = (np.asarray(self.amplitude(t)) for t in (first, second))
        return s1[:, None] * s2[None, :] * self._stationary.kernel(first[:, None] - second[None, :])
