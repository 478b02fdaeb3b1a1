"""The covariance of a spotted star as the object ``AnalyticKernel``, which chooses how finely it is computed."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.gp.covariance import N_HARM, harmonic_powers, visible_covariance
from spotcat.gp.finite import finite_covariance
from spotcat.gp.spectrum import compiled_spectrum
from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.latitude import latitude_nodes

_CACHED_LAGS = 16
"""Lags whose nodes fit a core's first cache."""
_NODES_MIN, _NODES_MAX = 96, 1 << 18
_HARMONICS = (8, 16, 32, 64, 128)


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
    average = jax.vmap(visible_covariance(model, n_latitude, n_harm))

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
