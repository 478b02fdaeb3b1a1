"""The covariance of a spotted star, all harmonics at once, as array functions.

With ``R_Gamma`` the autocorrelation of a spot's area, ``C(phi, psi)`` that of its visibility in longitude, and
spots that emerge independently with latitudes ``p(phi)``,

    K(tau) = sigma_k^2 R_Gamma(tau) int p(phi) C(phi, omega_0(phi) tau) dphi
    C(phi, psi) = c_0^2 + 2 sum_{n>=1} c_n^2 cos(n psi).

``spot_covariance`` uses the closed form of ``C`` where there is one, else as many harmonics as a tolerance asks for.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from spotcat.gp.finite import finite_covariance
from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.latitude import Hemispheres, latitude_nodes
from spotcat.star.visibility import phase_autocorrelation

_LAGS_AT_ONCE = 128
N_HARM = 64
"""Highest harmonic where no tolerance decides: within 1e-6 of K(0) for small spots."""


def spot_covariance(lag: ArrayLike, model: SpotEvolutionModel, n_latitude: int, n_harm: int = N_HARM) -> Array:
    """Covariance of the relative flux at given lags.

    Args:
        lag: time lag [d], shape (n,).
        model: the star.
        n_latitude: latitude nodes of one hemisphere; see ``latitude_nodes_needed``.
        n_harm: highest harmonic, where the visibility has no closed form of them all; see ``harmonics_needed``.

    Returns:
        Shape (n,), in units of ``sigma_k^2 d``.
    """
    lag = jnp.asarray(lag)
    if not model.visibility.separable:
        return finite_covariance(lag, model, n_latitude, n_harm)
    visible = jax.lax.map(visible_covariance(model, n_latitude, n_harm), lag, batch_size=_LAGS_AT_ONCE)
    return model.sigma_k**2 * model.envelope.R_Gamma(lag) * visible


def visible_covariance(model: SpotEvolutionModel, n_latitude: int, n_harm: int) -> Callable[[Array], Array]:
    """The latitude average of ``C`` as a function of one lag, its nodes computed once for all lags."""
    inc = model.visibility.inc
    nodes = latitude_nodes(model.latitude, inc, n_latitude)
    rate = model.visibility.omega_0(nodes.phi)

    def closed(tau: Array) -> Array:
        psi = rate * tau
        north, south = (phase_autocorrelation(psi, phi, inc) for phi in (nodes.phi, -nodes.phi))
        return jnp.sum(nodes.north * north + nodes.south * south)

    if model.visibility.closed:
        return closed
    power = harmonic_powers(model, nodes, n_harm)
    return lambda tau: cosine_sum(power, rate * tau)


def harmonic_powers(model: SpotEvolutionModel, nodes: Hemispheres, n_harm: int) -> Array:
    """Shares ``m_n w c_n^2`` of each harmonic at each node, ``m_0 = 1`` and ``m_n = 2``, shape (n_harm + 1, J)."""
    north, south = (model.visibility.c_n(phi, n_harm) ** 2 for phi in (nodes.phi, -nodes.phi))
    twice = jnp.where(jnp.arange(n_harm + 1) == 0, 1.0, 2.0)[:, None]
    return twice * (nodes.north * north + nodes.south * south)


def cosine_sum(power: Array, psi: Array) -> Array:
    """``sum_nj power_nj cos(n psi_j)`` by Chebyshev's recurrence; shapes (N + 1, J) and (J,)."""
    cosine = jnp.cos(psi)

    def step(carry: tuple[Array, Array, Array], row: Array) -> tuple[tuple[Array, Array, Array], None]:
        total, here, before = carry
        return (total + row * here, 2 * cosine * here - before, here), None

    (total, _, _), _ = jax.lax.scan(step, (jnp.zeros_like(psi), jnp.ones_like(psi), cosine), power)
    return jnp.sum(total)
