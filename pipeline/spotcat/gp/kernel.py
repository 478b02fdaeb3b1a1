"""The covariance of a spotted star, as array functions and as the object ``AnalyticKernel``.

With ``R_Gamma`` the autocorrelation of a spot's area, ``C(phi, psi)`` that of its visibility in longitude, and
spots that emerge independently with latitudes ``p(phi)``,

    K(tau) = sigma_k^2 R_Gamma(tau) int p(phi) C(phi, omega_0(phi) tau) dphi
    C(phi, psi) = c_0^2 + 2 sum_{n>=1} c_n^2 cos(n psi).

``spot_covariance`` uses the closed form of ``C``, all harmonics at once, where there is one, and else as many harmonics
as a tolerance asks for; ``harmonic_covariances`` keeps the harmonics apart for the fits that treat them as components.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.gp.finite import finite_covariance
from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.latitude import Hemispheres, latitude_nodes
from spotcat.star.laws import LatitudeLaw
from spotcat.star.visibility import VisibilityFunction, phase_autocorrelation

_LAGS_AT_ONCE = 128
_CACHED_LAGS = 16
"""Lags whose nodes fit a core's first cache."""
_OUTER_LAGS = 16
_NODES_MIN, _NODES_MAX = 96, 1 << 18
_HARMONICS = (8, 16, 32, 64, 128)
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
    visible = jax.lax.map(_visible_covariance(model, n_latitude, n_harm), lag, batch_size=_LAGS_AT_ONCE)
    return model.sigma_k**2 * model.envelope.R_Gamma(lag) * visible


def _visible_covariance(model: SpotEvolutionModel, n_latitude: int, n_harm: int) -> Callable[[Array], Array]:
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


class Rotation(NamedTuple):
    """What of a star turns how fast, at the nodes of a rule in latitude.

    Attributes:
        rate: angular velocity [rad/d], shape (n_latitude,).
        power: share ``m_n w c_n^2`` of each harmonic, ``m_0 = 1`` and ``m_n = 2``, shape (n_harm + 1, n_latitude).
    """

    rate: Array
    power: Array


def rotation_of(visibility: VisibilityFunction, latitude: LatitudeLaw, n_harm: int, n_latitude: int) -> Rotation:
    """Rates and powers of spots of a law of latitudes that is the same in both hemispheres.

    Args:
        visibility: rotation and inclination of the star.
        latitude: where spots emerge.
        n_harm: highest harmonic.
        n_latitude: latitude nodes of each interval of the law in one hemisphere.
    """
    nodes = latitude_nodes(latitude, visibility.inc, n_latitude)
    c_squared = visibility.c_n(nodes.phi, n_harm) ** 2 + visibility.c_n(-nodes.phi, n_harm) ** 2
    twice = jnp.where(jnp.arange(n_harm + 1) == 0, 1.0, 2.0)[:, None]
    return Rotation(visibility.omega_0(nodes.phi), nodes.north * c_squared * twice)


def harmonic_covariances(rotation: Rotation, n_time: int, dt: float | Array) -> Array:
    """Latitude averages ``sum_j power_nj cos(n rate_j tau)`` on a regular grid of lags.

    With the lag written as ``(a B + b) dt`` the exponentials of ``a`` and of ``b`` separate, so the sum over latitudes
    is a matrix product and ``M`` lags cost ``A + M / A`` exponentials a node.

    Args:
        rotation: rates and powers.
        n_time: lags M, a multiple of 16.
        dt: grid step [d].

    Returns:
        Shape (n_harm + 1, M); the row of harmonic 0 is constant in lag.
    """
    n = rotation.power.shape[0] - 1
    apart = jnp.eye(n)[:, :, None] * rotation.power[1:]
    constant = jnp.full((1, n_time), rotation.power[0].sum())
    return jnp.concatenate([constant, _phase_sums(rotation.rate, apart, n_time, dt)])


def harmonic_slopes(rotation: Rotation, slope: Rotation, levels: Array, n_time: int, dt: float | Array) -> Array:
    """Derivatives of ``levels @ harmonic_covariances(rotation, n_time, dt)`` in directions of `rotation`.

    Args:
        rotation: rates and powers.
        slope: their derivatives, one more axis in front: the direction, of length d.
        levels: weight of each harmonic, shape (n_harm + 1,).
        n_time: lags M, a multiple of 16.
        dt: grid step [d].

    Returns:
        Shape (d, M).
    """
    d, n = slope.rate.shape[0], rotation.power.shape[0] - 1
    level, order = levels[1:, None], jnp.arange(1, n + 1)[:, None]
    powers = level * slope.power[:, 1:]
    turns = 1j * order * level * rotation.power[1:] * slope.rate[:, None]
    sums = _phase_sums(rotation.rate, jnp.concatenate([powers, turns]), n_time, dt)
    return sums[:d] + jnp.arange(n_time) * dt * sums[d:] + levels[0] * slope.power[:, 0].sum(-1, keepdims=True)


def _phase_sums(rate: Array, weight: Array, n_time: int, dt: float | Array) -> Array:
    """``Re sum_nj weight_knj exp(i n rate_j tau)`` for n >= 1; shapes (J,) and (k, n, J) to (k, M)."""
    k, n, _ = weight.shape
    step = n_time // _OUTER_LAGS

    def phases(count: int, spacing: float | Array) -> Array:
        first = jnp.exp(1j * rate * (jnp.arange(count)[:, None] * spacing))
        powers = [first]
        for _ in range(n - 1):
            powers.append(powers[-1] * first)
        return jnp.concatenate(powers, axis=1)

    inner = phases(step, dt)
    outer = (weight.reshape(k, 1, -1) * phases(_OUTER_LAGS, step * dt)).reshape(k * _OUTER_LAGS, -1)
    return (outer.real @ inner.real.T - outer.imag @ inner.imag.T).reshape(k, n_time)


def harmonics_needed(model: SpotEvolutionModel, tolerance: float = 1e-6) -> int:
    """Highest harmonic whose followers together are below a fraction `tolerance` of K(0).

    Args:
        model: the star, with concrete parameters.
        tolerance: the fraction.

    Returns:
        A step of the ladder 8, 16, 32, 64, 128; a limb crossed by small spots has ``c_n`` of order ``n^-2``.
    """
    with jax.enable_x64(True):
        share = np.asarray(_shares(_as_float64(model), _HARMONICS[-1]))
    rest = 1 - np.cumsum(share) / share.sum()
    # The harmonics that were left out fall off as n^-4 at least.
    rest += share[-8:].sum() / 8 * _HARMONICS[-1] / 3 / share.sum()
    return next((n for n in _HARMONICS if rest[n] < tolerance), _HARMONICS[-1])


@partial(jax.jit, static_argnums=1)
def _shares(model: SpotEvolutionModel, n_harm: int) -> Array:
    nodes = latitude_nodes(model.latitude, model.visibility.inc, _NODES_MIN)
    return harmonic_powers(model, nodes, n_harm).sum(1)


def latitude_nodes_needed(model: SpotEvolutionModel, lag_max: float) -> int:
    """Latitude nodes of one hemisphere for an error below 1e-6 of K(0) up to a lag.

    The integrand's phase runs over ``kappa omega_eq lag`` radians between equator and pole; measured over periods
    0.2-80 d and shears up to 0.9, ``32 + 16 radians`` nodes sufficed for 7e-7.  Counts come from a ladder, so that
    neighbouring models share a compiled kernel.

    Args:
        model: the star, with concrete parameters.
        lag_max: longest lag [d].
    """
    vis = model.visibility
    lag_max = min(lag_max, float(model.kernel_support()))
    radians = abs(float(vis.kappa)) * 2 * np.pi / float(vis.peq) * lag_max
    needed = max(_NODES_MIN, 48 + 16 * radians)
    ladder = (step * 2**k for k in range(32) for step in (96, 128, 160))
    return min(next(n for n in ladder if n >= needed), _NODES_MAX)


@partial(jax.jit, static_argnums=(3, 4))
def _compiled(lag: Array, count: Array | int, model: SpotEvolutionModel, n_latitude: int, n_harm: int) -> Array:
    """The first `count` lags of an array of whole blocks: padding is not computed."""
    if not model.visibility.separable:
        return finite_covariance(lag, model, n_latitude, n_harm)
    average = jax.vmap(_visible_covariance(model, n_latitude, n_harm))

    def body(i: Array, out: Array) -> Array:
        here = jax.lax.dynamic_slice_in_dim(lag, i * _CACHED_LAGS, _CACHED_LAGS)
        return jax.lax.dynamic_update_slice_in_dim(out, average(here), i * _CACHED_LAGS, 0)

    visible = jax.lax.fori_loop(0, (count + _CACHED_LAGS - 1) // _CACHED_LAGS, body, jnp.zeros_like(lag))
    return model.sigma_k**2 * model.envelope.R_Gamma(lag) * visible


class AnalyticKernel:
    """The covariance function of one spot model, compiled once per padded number of lags.

    Computes in float64 and returns NumPy arrays, whatever JAX's default precision.
    """

    def __init__(self, model: SpotEvolutionModel) -> None:
        """Wrap a model with concrete parameters; inside ``jit`` use ``spot_covariance``."""
        self.model = model
        self.n_harm = N_HARM if model.visibility.closed else harmonics_needed(model)

    def build_jax(self, n_lag: int = 512) -> AnalyticKernel:
        """Compile for up to `n_lag` lags, say how long that took, and return the kernel itself."""
        start = time.perf_counter()
        self.kernel(np.linspace(0.0, float(self.model.kernel_support()), n_lag))
        print(f"JAX kernel compiled in {time.perf_counter() - start:.2f}s")
        return self

    def kernel(self, lag: ArrayLike) -> np.ndarray:
        """Covariance at `lag` [d], any shape; relative error below 1e-6 of K(0).

        Lags are padded to a power of two, at least 512, latitudes to a step of a ladder: most calls reuse a program.
        """
        lags = np.asarray(lag, dtype=float)
        flat = np.abs(lags.ravel())
        padded = np.zeros(max(512, 1 << (flat.size - 1).bit_length()))
        padded[: flat.size] = flat
        n_latitude = latitude_nodes_needed(self.model, float(flat.max(initial=0.0)))
        with jax.enable_x64(True):
            values = _compiled(padded, flat.size, _as_float64(self.model), n_latitude, self.n_harm)
        return np.asarray(values)[: flat.size].reshape(lags.shape)

    def compute_psd(self, omega: ArrayLike) -> np.ndarray:
        """Power spectral density [relative flux^2 d] at angular frequency `omega` [rad/d], any shape; two-sided."""
        from spotcat.gp.spectrum import compiled_spectrum

        frequencies = np.asarray(omega, dtype=float)
        flat = frequencies.ravel()
        padded = np.pad(flat, (0, max(8, 1 << (flat.size - 1).bit_length()) - flat.size))
        n_latitude = latitude_nodes_needed(self.model, float(self.model.kernel_support()))
        with jax.enable_x64(True):
            values = compiled_spectrum(padded, _as_float64(self.model), n_latitude, self.n_harm)
        return np.asarray(values)[: flat.size].reshape(frequencies.shape)


def _as_float64(model: SpotEvolutionModel) -> Any:
    """Parameters as float64 scalars, so Python numbers and arrays share one compiled program."""
    return jax.tree.map(lambda x: np.asarray(x, dtype=np.float64), model)
