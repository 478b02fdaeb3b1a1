"""The covariance of spots of finite size, whose shape on the disk changes with the radius of the moment.

Envelope and visibility do not factor.  The Fourier coefficients of a spot's deficit are smooth in its relative radius
``g``, so ``c_n(g) = g^2 sum_k L_k(g) h_nk`` with few Chebyshev nodes, and

    K(tau) = sigma_k^2 sum_kl R_kl(tau) sum_n m_n int p(phi) h_nk h_nl cos(n omega_0 tau) dphi
    R_kl(tau) = int [Gamma^2 L_k(Gamma)](t) [Gamma^2 L_l(Gamma)](t + tau) dt.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.latitude import latitude_nodes
from spotcat.star.population import SpotPopulation
from spotcat.star.quadrature import constant, overlap_nodes

_RADII = (1 - np.cos((2 * np.arange(6) + 1) * np.pi / 12)) / 2
"""Chebyshev nodes of the relative radius."""


def finite_covariance(lag: Array, model: SpotEvolutionModel, n_latitude: int, n_harm: int) -> Array:
    """Covariance of the relative flux at given lags; arguments as in ``kernel.spot_covariance``.

    Raises:
        ValueError: the envelope is a population, whose sizes would each need coefficients of their own.
    """
    if isinstance(model.envelope, SpotPopulation):
        raise ValueError("finite spots of many sizes have no analytic covariance; NumericalKernel simulates theirs")
    nodes = latitude_nodes(model.latitude, model.visibility.inc, n_latitude)
    visibility: Any = model.visibility
    rate = visibility.omega_0(nodes.phi)
    h = jax.lax.map(lambda g: visibility.c_n(jnp.stack([nodes.phi, -nodes.phi]), n_harm, g) / g**2, constant(_RADII))
    weight = jnp.stack([nodes.north, nodes.south])
    twice = jnp.where(jnp.arange(n_harm + 1) == 0, 1.0, 2.0)
    pairs = jnp.einsum("n,knhj,lnhj,hj->klnj", twice, h, h, weight)
    edges, order = model.envelope.edges(), jnp.arange(n_harm + 1)[:, None]

    def one(tau: Array) -> Array:
        t, w = overlap_nodes(edges, tau)
        early, late = (_basis(model.envelope.Gamma(x)) for x in (t, t + tau))
        return jnp.sum(((w * early) @ late.T) * (pairs * jnp.cos(order * rate * tau)).sum((-2, -1)))

    return model.sigma_k**2 * jax.lax.map(one, jnp.abs(lag))


def _basis(g: Array) -> Array:
    """``g^2 L_k(g)`` of Lagrange's polynomials on the nodes; shape (n,) to (6, n)."""
    apart = _RADII[:, None] - _RADII[None, :]
    np.fill_diagonal(apart, 1.0)
    factors = (g[None, None, :] - constant(_RADII)[None, :, None]) / constant(apart)[:, :, None]
    factors = jnp.where(np.eye(len(_RADII), dtype=bool)[:, :, None], 1.0, factors)
    return g**2 * jnp.prod(factors, axis=1)
