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
from spotcat.star.visibility import VisibilityFunction, phase_autocorrelation, sine_and_cosine

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


class Phases(NamedTuple):
    """``exp(i n rate_j tau)`` for n >= 1 and lags ``tau = (a B + b) dt``, cosines and sines of `a` and of `b` apart.

    So the sum over latitudes is a matrix product and ``M`` lags cost ``A + M / A`` sines a node.

    Attributes:
        inner: cosines and sines of b, shape (n_harm, 2 n_latitude, M / 16).
        cosine: of a, shape (n_harm, 16, n_latitude).
        sine: of a, shape (n_harm, 16, n_latitude).
    """

    inner: Array
    cosine: Array
    sine: Array


def phases_of(rotation: Rotation, n_time: int, dt: float | Array) -> Phases:
    """The phases of a rotation on a regular grid.

    Args:
        rotation: its rates.
        n_time: lags M, a multiple of 16.
        dt: grid step [d].
    """
    step, n = n_time // _OUTER_LAGS, rotation.power.shape[0] - 1
    inner = _multiples(rotation.rate[:, None] * (jnp.arange(step) * dt), n)
    outer = _multiples(rotation.rate * (jnp.arange(_OUTER_LAGS)[:, None] * step * dt), n)
    return Phases(jnp.concatenate(inner, axis=1), *outer)


def _multiples(psi: Array, n: int) -> tuple[Array, Array]:
    """Cosines and sines of ``psi, 2 psi, .. n psi``, stacked on a first axis."""
    turns = psi / (2 * jnp.pi)
    half_sine, half_cosine = sine_and_cosine(jnp.pi * (turns - jnp.floor(turns)))
    cosine, sine = half_cosine**2 - half_sine**2, 2 * half_sine * half_cosine
    cosines, sines = [cosine], [sine]
    for _ in range(n - 1):
        c, s = cosines[-1], sines[-1]
        cosines.append(c * cosine - s * sine)
        sines.append(c * sine + s * cosine)
    return jnp.stack(cosines), jnp.stack(sines)


def harmonic_covariances(rotation: Rotation, n_time: int, dt: float | Array, phases: Phases | None = None) -> Array:
    """Latitude averages ``sum_j power_nj cos(n rate_j tau)`` on a regular grid of lags.

    Args:
        rotation: rates and powers.
        n_time: lags M, a multiple of 16.
        dt: grid step [d].
        phases: those of the rotation, if they are known.

    Returns:
        Shape (n_harm + 1, M); the row of harmonic 0 is constant in lag.
    """
    at = phases_of(rotation, n_time, dt) if phases is None else phases
    power = rotation.power[1:, None]
    outer = jnp.concatenate([power * at.cosine, -power * at.sine], axis=2)
    constant = jnp.full((1, n_time), rotation.power[0].sum())
    return jnp.concatenate([constant, (outer @ at.inner).reshape(-1, n_time)])


def harmonic_slopes(
    rotation: Rotation, slope: Rotation, levels: Array, n_time: int, dt: float | Array, phases: Phases | None = None
) -> Array:
    """Derivatives of ``levels @ harmonic_covariances(rotation, n_time, dt)`` in directions of `rotation`.

    Args:
        rotation: rates and powers.
        slope: their derivatives, one more axis in front: the direction, of length d.
        levels: weight of each harmonic, shape (n_harm + 1,).
        n_time: lags M, a multiple of 16.
        dt: grid step [d].
        phases: those of the rotation, if they are known.

    Returns:
        Shape (d, M).
    """
    d, n = slope.rate.shape[0], rotation.power.shape[0] - 1
    at = phases_of(rotation, n_time, dt) if phases is None else phases
    level, order = levels[1:, None], jnp.arange(1, n + 1)[:, None]
    power = (level * slope.power[:, 1:])[:, None]
    turn = (order * level * rotation.power[1:] * slope.rate[:, None])[:, None]
    # Shape (d, 16, n_harm, n_latitude).
    cosine, sine = (jnp.swapaxes(a, 0, 1) for a in (at.cosine, at.sine))
    by_power = jnp.concatenate([power * cosine, -power * sine], axis=3)
    by_rate = jnp.concatenate([-turn * sine, -turn * cosine], axis=3)
    outer = jnp.concatenate([by_power, by_rate]).reshape(2 * d * _OUTER_LAGS, -1)
    sums = (outer @ at.inner.reshape(outer.shape[1], -1)).reshape(2 * d, n_time)
    return sums[:d] + jnp.arange(n_time) * dt * sums[d:] + levels[0] * slope.power[:, 0].sum(-1, keepdims=True)


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
