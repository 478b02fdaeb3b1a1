"""A Gaussian process for one star: the spot model's own parameters, any sampling, exact likelihood."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.gp.kernel import latitude_nodes_needed, spot_covariance
from spotcat.star.evolution import SpotEvolutionModel

_SPAN = 20.0
"""Default bounds: a factor of this to either side of the starting value."""


class MapResult(NamedTuple):
    """Maximum of the posterior.

    Attributes:
        model: the star at the maximum.
        params: its parameters by name.
        log_posterior: value there.
        converged: whether the optimiser said so.
    """

    model: SpotEvolutionModel
    params: dict[str, float]
    log_posterior: float
    converged: bool


class GPSolver:
    """Posterior of a spot model given one light curve.

    Parameters are taken in the order of ``model.param_keys``.  The prior is uniform within `bounds` in the logarithm of
    every positive scale, uniform in kappa, and isotropic in inclination.  A constant offset is marginalised.
    """

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        yerr: ArrayLike,
        model: SpotEvolutionModel,
        bounds: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        """Hold data, model and bounds.

        Args:
            x: times [d], shape (n,), any sampling.
            y: relative flux, shape (n,).
            yerr: standard errors, scalar or shape (n,).
            model: starting point.
            bounds: (low, high) by parameter name; parameters left out get wide defaults about the starting point.

        Raises:
            ValueError: shapes differ, a value is not finite, an error is not positive, or a bound is not of the model.
        """
        self.x, self.y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        self.yerr = np.broadcast_to(np.asarray(yerr, dtype=float), self.x.shape)
        if self.x.ndim != 1 or self.x.shape != self.y.shape:
            raise ValueError(f"x and y must be vectors of one length, got shapes {self.x.shape} and {self.y.shape}")
        if not all(np.isfinite(a).all() for a in (self.x, self.y, self.yerr)) or not (self.yerr > 0).all():
            raise ValueError("x, y and yerr must be finite and yerr positive")
        self.model = model
        self.param_keys = model.param_keys
        unknown = set(bounds or {}) - set(self.param_keys)
        if unknown:
            raise ValueError(f"no such parameter: {', '.join(sorted(unknown))}; there are {', '.join(self.param_keys)}")
        self.bounds = {k: (bounds or {}).get(k, _default_bounds(k, float(v))) for k, v in model.param_dict.items()}
        self._lags, self._index = _distinct_lags(self.x, self.x)
        # Latitude nodes are fixed at the hardest corner of the box, so that one program serves the whole fit.
        corner = {k: self.bounds[k][0] if k == "peq" else self.bounds[k][1] for k in self.param_keys}
        baseline = float(np.ptp(self.x))
        self._nodes = min(latitude_nodes_needed(model.with_params(corner), baseline), 512)

    @property
    def theta0(self) -> np.ndarray:
        """The starting model's parameters, shape (n_param,)."""
        return np.array([float(v) for v in self.model.param_dict.values()])

    def log_posterior(self, theta: ArrayLike) -> float:
        """Log-posterior at parameters in the order of `param_keys`; minus infinity outside the bounds."""
        return -self.neg_log_posterior(theta)

    def neg_log_posterior(self, theta: ArrayLike) -> float:
        """Negative log-posterior."""
        return float(self._call(_value, theta))

    def grad_log_posterior(self, theta: ArrayLike) -> np.ndarray:
        """Gradient of the log-posterior, shape (n_param,)."""
        return -self.grad_neg_log_posterior(theta)

    def grad_neg_log_posterior(self, theta: ArrayLike) -> np.ndarray:
        """Gradient of the negative log-posterior, shape (n_param,)."""
        return np.asarray(self._call(_value_and_grad, theta)[1])

    def build_jax(self) -> GPSolver:
        """Compile value and gradient, say how long that took, and return the solver itself."""
        start = time.perf_counter()
        self._call(_value, self.theta0)
        self._call(_value_and_grad, self.theta0)
        print(f"JAX posterior compiled in {time.perf_counter() - start:.2f}s")
        return self

    def fit_map(self, max_steps: int = 200) -> MapResult:
        """Climb from the starting model to a maximum of the posterior (L-BFGS-B within the bounds).

        The likelihood has many maxima in period: start near the right one, for instance at a survey fit's.
        """
        from scipy.optimize import minimize

        low, high = np.array([self.bounds[k] for k in self.param_keys]).T
        scale = np.maximum(high - low, 1e-12)

        def objective(u: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = self._call(_value_and_grad, low + u * scale)
            return float(value), np.asarray(slope) * scale

        start = np.clip((self.theta0 - low) / scale, 1e-3, 1 - 1e-3)
        found = minimize(
            objective, start, jac=True, method="L-BFGS-B", bounds=[(1e-6, 1 - 1e-6)] * len(low),
            options={"maxiter": max_steps},
        )  # fmt: skip
        params = dict(zip(self.param_keys, (low + found.x * scale).tolist(), strict=True))
        return MapResult(self.model.with_params(params), params, -float(found.fun), bool(found.success))

    def predict(self, xpred: ArrayLike, theta: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Conditional mean and standard deviation of the noiseless flux.

        Args:
            xpred: times [d], shape (m,).
            theta: parameters; the starting model's by default.

        Returns:
            Two arrays of shape (m,).
        """
        lags, index = _distinct_lags(np.asarray(xpred, dtype=float), self.x)
        mean, sd = self._call(_predict, self.theta0 if theta is None else theta, lags, index)
        return np.asarray(mean), np.asarray(sd)

    def _call(self, function: Callable[..., Any], theta: ArrayLike, *args: Any) -> Any:
        low, high = np.array([self.bounds[k] for k in self.param_keys]).T
        template = jax.tree.map(lambda v: np.float64(v), self.model)
        with jax.enable_x64(True):
            arrays = (self._lags, self._index, self.y, self.yerr, low, high)
            data = _Data(*(jnp.asarray(a) for a in arrays))
            return function(np.asarray(theta, dtype=float), data, template, self._nodes, *args)


class _Data(NamedTuple):
    lag: Array  # distinct lags, padded
    place: Array  # of every pair of times among them
    y: Array
    yerr: Array
    low: Array
    high: Array


def _distinct_lags(x1: np.ndarray, x2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct lags [d], padded to a power of two, and the place of every pair of times among them.

    On a regular cadence there are as many as grid points, not as matrix elements; lags that agree to a tenth of a
    millisecond are one.
    """
    lags, index = np.unique(np.round(np.abs(x1[:, None] - x2[None, :]), 9), return_inverse=True)
    padded = np.zeros(1 << max(lags.size - 1, 1).bit_length())
    padded[: lags.size] = lags
    return padded, index.reshape(x1.size, x2.size)


def _default_bounds(key: str, value: float) -> tuple[float, float]:
    if key == "inc":
        return 0.0, np.pi / 2
    if key == "kappa":
        return 0.0, 0.9
    return value / _SPAN, value * _SPAN


def _negative_log_posterior(theta: Array, data: _Data, template: SpotEvolutionModel, n_latitude: int) -> Array:
    keys = template.param_keys
    params = dict(zip(keys, theta, strict=True))
    covariance = spot_covariance(data.lag, template.with_params(params), n_latitude)[data.place]
    factor = jnp.linalg.cholesky(covariance + jnp.diag(data.yerr**2))
    z = jax.scipy.linalg.solve_triangular(factor, jnp.stack([data.y, jnp.ones_like(data.y)], axis=1), lower=True)
    ones = z[:, 1] @ z[:, 1]
    chi2 = z[:, 0] @ z[:, 0] - (z[:, 0] @ z[:, 1]) ** 2 / ones
    n = data.y.shape[0]
    log_det = 2 * jnp.sum(jnp.log(jnp.diagonal(factor))) + jnp.log(ones)
    scales = jnp.array([k not in ("kappa", "inc") for k in keys])
    log_prior = jnp.log(jnp.sin(params["inc"])) - jnp.sum(
        jnp.where(scales, jnp.log(jnp.where(scales, theta, 1.0)), 0.0)
    )
    inside = jnp.all((theta >= data.low) & (theta <= data.high))
    value = 0.5 * (chi2 + log_det + (n - 1) * jnp.log(2 * jnp.pi)) - log_prior
    return jnp.where(inside, value, jnp.inf)


_value = partial(jax.jit, static_argnums=3)(_negative_log_posterior)
_value_and_grad = partial(jax.jit, static_argnums=3)(jax.value_and_grad(_negative_log_posterior))


@partial(jax.jit, static_argnums=3)
def _predict(
    theta: Array, data: _Data, template: SpotEvolutionModel, n_latitude: int, cross_lags: Array, cross_index: Array
) -> tuple[Array, Array]:
    model = template.with_params(dict(zip(template.param_keys, theta, strict=True)))
    covariance = spot_covariance(data.lag, model, n_latitude)[data.place]
    factor = jnp.linalg.cholesky(covariance + jnp.diag(data.yerr**2))
    cross = spot_covariance(cross_lags, model, n_latitude)[cross_index]
    solve = partial(jax.scipy.linalg.cho_solve, (factor, True))
    ones = jnp.ones_like(data.y)
    offset = (ones @ solve(data.y)) / (ones @ solve(ones))
    variance = covariance[0, 0] - jnp.sum(cross.T * solve(cross.T), axis=0)
    return offset + cross @ solve(data.y - offset), jnp.sqrt(jnp.maximum(variance, 0.0))
