"""The power spectral density of a spotted star.

Two-sided in angular frequency, ``S(omega) = int K(tau) exp(-i omega tau) dtau``, so ``K(0) = int S domega / 2 pi``.
A product in lag is a convolution in frequency, and the visibility's spectrum is one of lines:

    S(omega) = sigma_k^2 int p(phi) sum_n c_n^2 |Gamma_hat|^2(omega - n omega_0(phi)) dphi,   n = -N .. N.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.gp.covariance import N_HARM, harmonic_powers, spot_covariance
from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.latitude import latitude_nodes
from spotcat.star.quadrature import gauss_nodes

_LAG_PARTS = 128


def spot_spectrum(omega: ArrayLike, model: SpotEvolutionModel, n_latitude: int, n_harm: int = N_HARM) -> Array:
    """Power spectral density at given angular frequencies.

    Args:
        omega: angular frequency [rad/d], shape (n,).
        model: the star.
        n_latitude: latitude nodes of one hemisphere.
        n_harm: highest harmonic.

    Returns:
        Shape (n,) [relative flux^2 d], in the units of ``sigma_k^2 d^2``.
    """
    omega = jnp.asarray(omega, float)
    if not model.visibility.separable:
        return _from_covariance(omega, model, n_latitude, n_harm)
    nodes = latitude_nodes(model.latitude, model.visibility.inc, n_latitude)
    rate = model.visibility.omega_0(nodes.phi)
    power = harmonic_powers(model, nodes, n_harm) / 2
    power = jnp.concatenate([power[:0:-1], 2 * power[:1], power[1:]])
    order = jnp.arange(-n_harm, n_harm + 1)

    def one(w: Array) -> Array:
        def add(total: Array, item: tuple[Array, Array]) -> tuple[Array, None]:
            n, row = item
            return total + jnp.sum(row * model.envelope.Gamma_hat_sq(w - n * rate)), None

        return jax.lax.scan(add, jnp.zeros_like(w), (order, power))[0]

    return model.sigma_k**2 * jax.lax.map(one, omega, batch_size=64)


compiled_spectrum = jax.jit(spot_spectrum, static_argnums=(2, 3))


def _from_covariance(omega: Array, model: SpotEvolutionModel, n_latitude: int, n_harm: int) -> Array:
    """``2 int_0^L K cos(omega tau) dtau``; good for ``omega L`` up to some thousand radians."""
    lag, weight = gauss_nodes(model.kernel_support() * np.linspace(0.0, 1.0, _LAG_PARTS + 1))
    k = 2 * weight * spot_covariance(lag, model, n_latitude, n_harm)
    return jax.lax.map(lambda w: jnp.sum(k * jnp.cos(w * lag)), omega, batch_size=64)
