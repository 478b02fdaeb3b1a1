"""Where what is in a fitted star's parameter vector, and its priors; without JAX: a planner or a reader may ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spotcat.config import FitConfig, Spots

KAPPA_MAX = 0.7
N_SHAPE = 5
LONG_GRID = 2048
LN_WHITE_MIN = -5.0
"""No spot model describes a star to better than 8 % of its scatter; less noise would let misfit decide the period."""
RED_TIMES = (0.1, 1), (0.3, 2), (1.0, 4)
"""Time scales [d] of the red noise and their least number of grid steps; a fourth is a fifteenth of the grid.

So close to one another that their sum has any spectrum between white and red: with a gap between 0.15 and 1 d the wings
of spots' harmonics stood in for the flares of an M dwarf, at twice its period (TIC 461654150).
"""
N_RED = len(RED_TIMES) + 1


class Priors(NamedTuple):
    """Widths and locations, as the ``prior_`` settings of ``FitConfig`` say."""

    shear: float
    min_rotations: float
    min_rotations_width: float
    decay_ratio: tuple[float, ...]
    harmonic: float
    constant: float
    red: tuple[float, ...]

    @classmethod
    def of(cls, config: FitConfig) -> Priors:
        """The priors of a fit."""
        return cls(*(getattr(config, f"prior_{name}") for name in cls._fields))


@dataclass(frozen=True)
class Layout:
    """Sizes and scale of one grid's model.

    Sizes are static under ``jit``, the scale is not: grids of one length share their compiled programs.

    Attributes:
        n_time: grid points M.
        dt: grid step [d].
        n_harm: highest rotation harmonic.
        n_latitude: latitude nodes of one hemisphere.
        priors: of the parameters.
        spots: the laws of the spots.
    """

    n_time: int
    dt: float
    n_harm: int
    n_latitude: int
    priors: Priors
    spots: Spots

    @property
    def n_theta(self) -> int:
        """Length of the parameter vector."""
        return N_SHAPE + 1 + (self.n_harm + 1) + N_RED + 1

    @property
    def levels(self) -> slice:
        """Where the harmonics' levels ``d_0 .. d_n_harm`` are."""
        return slice(N_SHAPE + 1, N_SHAPE + 2 + self.n_harm)

    @property
    def reds(self) -> slice:
        """Where the logarithms of the red-noise variances are."""
        return slice(self.n_theta - N_RED - 1, self.n_theta - 1)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for every coordinate of ``theta``."""
        levels = tuple(f"level_{n}" for n in range(self.n_harm + 1))
        reds = tuple(f"ln_red_{j}" for j in range(N_RED))
        shape = ("ln_peq", "logit_kappa", "logit_inc", "ln_lspot", "ln_tau_spot", "ln_amplitude")
        return (*shape, *levels, *reds, "ln_white")

    @property
    def lag(self) -> np.ndarray:
        """Lags of the grid [d], shape (M,)."""
        return np.arange(self.n_time) * self.dt

    @property
    def red_steps(self) -> int:
        """Lag, in grid steps, at which the red noise ends: the narrowest band a factorisation can have.

        A quarter of the grid; an eighth of a long one, where a wide band costs most.
        """
        return self.n_time // (4 if self.n_time < LONG_GRID else 8)
