"""Laplace posterior of a star's best mode and the catalog quantities that follow from it."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.gp.composite import shape_of
from spotcat.gp.kernel import harmonic_covariances
from spotcat.gp.layout import N_SHAPE, Layout
from spotcat.star.envelope import TrapezoidSymmetricEnvelope, trapezoid_autocorrelation
from spotcat.star.latitude import uniform_nodes
from spotcat.star.visibility import fourier_coefficients

N_DRAWS = 512
_NODES = 32


class Quantities(NamedTuple):
    """What the catalog says of a star; times in days, angles in radians."""

    prot: Array
    peq: Array
    lspot: Array
    tau_spot: Array
    spot_lifetime: Array
    spot_support: Array
    n_life_rot: Array
    kappa: Array
    inc: Array
    sigma_k: Array


def quantities(theta: Array, scale: Array, layout: Layout) -> Quantities:
    """Catalog quantities of one parameter vector.

    The photometric period is that of the mean angular velocity of the latitudes, weighted by the power of their first
    harmonic: ``prot = peq / (1 - kappa <sin^2 phi>)``.

    Args:
        theta: parameters, shape (n_theta,).
        scale: standard deviation of the relative flux.
        layout: where what is.
    """
    s = shape_of(theta)
    nodes = uniform_nodes(s.inc, _NODES)
    first = fourier_coefficients(nodes.phi, s.inc, 1)[1] ** 2 + fourier_coefficients(-nodes.phi, s.inc, 1)[1] ** 2
    weight = nodes.weight * first
    prot = s.peq / (1 - s.kappa * jnp.sum(weight * jnp.sin(nodes.phi) ** 2) / jnp.sum(weight))
    envelope = TrapezoidSymmetricEnvelope(s.lspot, s.tau_spot)
    rotating = harmonic_covariances(jnp.zeros(1), s.peq, s.kappa, s.inc, layout.n_harm, _NODES)[1:].sum()
    at_zero = trapezoid_autocorrelation(0.0, s.lspot, s.tau_spot) * rotating
    return Quantities(
        prot=prot,
        peq=s.peq,
        lspot=s.lspot,
        tau_spot=s.tau_spot,
        spot_lifetime=envelope.lifetime(),
        spot_support=envelope.kernel_support(),
        n_life_rot=envelope.lifetime() / prot,
        kappa=s.kappa,
        inc=s.inc,
        sigma_k=scale * jnp.sqrt(jnp.exp(theta[N_SHAPE]) / at_zero),
    )


def normal_draws(n_theta: int) -> np.ndarray:
    """The same standard normal draws for every star, in antithetic pairs; shape (N_DRAWS, n_theta)."""
    half = np.random.default_rng(20_13).standard_normal((N_DRAWS // 2, n_theta))
    return np.concatenate([half, -half])


@partial(jax.jit, static_argnums=3)
def laplace_draws(theta: Array, curvature: Array, scale: Array, layout: Layout) -> tuple[Quantities, Quantities]:
    """Quantities at the mode and at draws from the Laplace approximation.

    Args:
        theta: modes, shape (B, n_theta).
        curvature: information matrices, shape (B, n_theta, n_theta).
        scale: standard deviations of the relative flux, shape (B,).
        layout: where what is.

    Returns:
        Quantities with arrays of shape (B,), and of shape (B, N_DRAWS).
    """
    draws = jnp.asarray(normal_draws(layout.n_theta))

    def one(mode: Array, information: Array, s: Array) -> tuple[Quantities, Quantities]:
        factor = jnp.linalg.cholesky(information)
        moved = jax.scipy.linalg.solve_triangular(factor.T, draws.T, lower=False).T
        at = partial(quantities, scale=s, layout=layout)
        return at(mode), jax.vmap(at)(mode + moved)

    return jax.lax.map(lambda x: one(*x), (theta, curvature, scale))
