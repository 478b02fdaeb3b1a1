"""Prior densities of the fitted star, in the coordinates of ``model.composite``."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from spotcat.model.composite import shape_of
from spotcat.model.laws import envelope_of
from spotcat.model.layout import Layout


def negative_log_prior(theta: Array, layout: Layout) -> Array:
    """Negative log-prior up to a constant.

    The inclination is isotropic (density ``sin i``), the period log-uniform, the rest as ``Priors`` says.  Shear and
    inclination carry the Jacobians of their logit coordinates: without them the density would not fall off towards the
    edges of their ranges, and a Laplace approximation there would say nothing.

    Args:
        theta: parameters, shape (n_theta,).
        layout: where what is, and the priors.

    Returns:
        Scalar.
    """
    s, priors = shape_of(theta), layout.priors
    levels, reds = theta[layout.levels], theta[layout.reds]
    own_life = envelope_of(layout.spots).prior_life(s.lspot, s.tau_spot)
    life = jnp.log(own_life / s.peq / priors.min_rotations)
    return 0.5 * (
        (s.kappa / priors.shear) ** 2
        + (jnp.minimum(life, 0.0) / priors.min_rotations_width) ** 2
        + ((theta[4] - theta[3] - priors.decay_ratio[0]) / priors.decay_ratio[1]) ** 2
        + (levels[0] / priors.constant) ** 2
        + jnp.sum((levels[1:] / priors.harmonic) ** 2)
        + jnp.sum(((reds - priors.red[0]) / priors.red[1]) ** 2)
        + 4 * jnp.sum(jnp.log(jnp.cosh(theta[1:3] / 2)))
    ) - jnp.log(jnp.sin(s.inc) + 1e-3)
