"""Prior densities of the fitted star, in the coordinates of ``gp.composite``."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from spotcat.gp.composite import shape_of
from spotcat.gp.layout import Layout


class Priors(NamedTuple):
    """Widths and locations; natural logarithms unless said otherwise.

    Attributes:
        kappa: scale of the half-normal prior on the shear.
        min_rotations: lifetime in rotations below which spots are softly discouraged (they carry no period).
        min_rotations_width: softness of that bound.
        decay_ratio: mean and standard deviation of ``ln(tau_spot / lspot)``.
        harmonic: scatter of the harmonics n >= 1 about the physical ratios.
        constant: scatter of harmonic 0 about its physical ratio: spots that come and go without rotating into view.
        red: mean and standard deviation of the red-noise variances relative to the light curve's.
    """

    kappa: float = 0.3
    min_rotations: float = 1.35
    min_rotations_width: float = 0.2
    decay_ratio: tuple[float, float] = (-0.9, 1.0)
    harmonic: float = 0.6
    constant: float = 1.0
    red: tuple[float, float] = (-4.0, 6.7)


DEFAULT = Priors()


def negative_log_prior(theta: Array, layout: Layout, priors: Priors = DEFAULT) -> Array:
    """Negative log-prior up to a constant.

    The inclination is isotropic (density ``sin i``), the period log-uniform, the rest as ``Priors`` says.  Shear and
    inclination carry the Jacobians of their logit coordinates: without them the density would not fall off towards the
    edges of their ranges, and a Laplace approximation there would say nothing.

    Args:
        theta: parameters, shape (n_theta,).
        layout: where what is.
        priors: widths and locations.

    Returns:
        Scalar.
    """
    s = shape_of(theta)
    levels, reds = theta[layout.levels], theta[layout.reds]
    life = jnp.log((s.lspot + s.tau_spot) / s.peq / priors.min_rotations)
    return 0.5 * (
        (s.kappa / priors.kappa) ** 2
        + (jnp.minimum(life, 0.0) / priors.min_rotations_width) ** 2
        + ((theta[4] - theta[3] - priors.decay_ratio[0]) / priors.decay_ratio[1]) ** 2
        + (levels[0] / priors.constant) ** 2
        + jnp.sum((levels[1:] / priors.harmonic) ** 2)
        + jnp.sum(((reds - priors.red[0]) / priors.red[1]) ** 2)
        + 4 * jnp.sum(jnp.log(jnp.cosh(theta[1:3] / 2)))
    ) - jnp.log(jnp.sin(s.inc) + 1e-3)
