"""A Gaussian process for one star: the spot model's own parameters, any sampling, exact likelihood."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.gp import dense
from spotcat.gp.coordinates import Box, make_box
from spotcat.gp.kernel import latitude_nodes_needed
from spotcat.gp.terms import KernelSum, SpotTerm
from spotcat.star.evolution import SpotEvolutionModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spotcat.gp.cycle import Amplitude
    from spotcat.gp.sampling import Samples

_NODES_MAX = 512


class MapResult(NamedTuple):
    """Maximum of the posterior.

    Attributes:
        model: the star, or the sum of terms, at the maximum.
        params: its parameters by name.
        log_posterior: value there.
        converged: whether the optimiser said so.
    """

    model: Any
    params: dict[str, float]
    log_posterior: float
    converged: bool


class GPSolver:
    """Posterior of a spot model, or of a sum of terms, given one light curve.

    Parameters are taken in the order of ``param_keys``.  The prior is uniform within `bounds` in the logarithm of every
    positive scale, isotropic in inclination, and uniform in the rest.  A constant offset of each segment is
    marginalised.  Stars of the same padded shape and kind of model share their compiled programs.
    """

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        yerr: ArrayLike,
        model: SpotEvolutionModel | KernelSum,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        *,
        segment: ArrayLike | None = None,
        amplitude: Amplitude | None = None,
    ) -> None:
        """Hold data, model and bounds.

        Args:
            x: times [d], shape (n,), any sampling.
            y: relative flux, shape (n,).
            yerr: standard errors, scalar or shape (n,).
            model: starting point.
            bounds: (low, high) by parameter name; parameters left out get wide defaults about the starting point.
            segment: segment number of every time, shape (n,); one segment by default.
            amplitude: of time [d], by which all that is correlated is multiplied, such as an ``ActivityCycle``; held.

        Raises:
            ValueError: shapes differ, a value is not finite, an error is not positive, or a bound is not of the model.
        """
        self.x, self.y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        self.yerr = np.broadcast_to(np.asarray(yerr, dtype=float), self.x.shape)
        if self.x.ndim != 1 or self.x.shape != self.y.shape:
            raise ValueError(f"x and y must be vectors of one length, got shapes {self.x.shape} and {self.y.shape}")
        if not all(np.isfinite(a).all() for a in (self.x, self.y, self.yerr)) or not (self.yerr > 0).all():
            raise ValueError("x, y and yerr must be finite and yerr positive")
        given = np.zeros(self.x.size, int) if segment is None else np.asarray(segment)
        if given.shape != self.x.shape:
            raise ValueError(f"segment must have the shape of x, got {given.shape} and {self.x.shape}")
        self.segment = np.unique(given, return_inverse=True)[1]
        self.model = model
        self.param_keys = tuple(model.param_dict)
        self._box, self.bounds = make_box(model, bounds or {})
        self._term = self._prepared(model)
        self.amplitude = amplitude
        self._data = dense.observe(self.x, self.y, self.yerr, self.segment, self._amplitude_at(self.x))

    def _prepared(self, model: SpotEvolutionModel | KernelSum) -> SpotTerm | KernelSum:
        """The term that is fitted: its nodes in latitude are fixed at the hardest corner of the bounds."""
        if isinstance(model, KernelSum):
            for key, term in model.terms.items():
                if isinstance(term, SpotTerm):
                    made = self._spot_term(term.model, model.names_of(key))
                    model = KernelSum(**{**model.terms, key: made})
            return _as_float64(model)
        return _as_float64(self._spot_term(model, {key: key for key in model.param_keys}))

    def _spot_term(self, model: SpotEvolutionModel, names: Mapping[str, str]) -> SpotTerm:
        corner = {key: self.bounds[names[key]][0 if key == "peq" else 1] for key in model.param_keys}
        baseline = float(np.ptp(self.x))
        nodes = min(latitude_nodes_needed(model.with_params(corner), baseline), _NODES_MAX)
        return SpotTerm(model, nodes, SpotTerm.reaching(model, 0.0).n_harm)

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

        def objective(u: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = self._call(_value_and_grad_in_box, u)
            return float(value), np.asarray(slope)

        with jax.enable_x64(True):
            start = np.clip(np.asarray(self._box.fractions(jnp.asarray(self.theta0))), 1e-3, 1 - 1e-3)
        edges = [(1e-6, 1 - 1e-6)] * len(start)
        found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=edges, options={"maxiter": max_steps})
        with jax.enable_x64(True):
            theta = np.asarray(self._box.values(jnp.asarray(found.x))).tolist()
        params = dict(zip(self.param_keys, theta, strict=True))
        return MapResult(self.model.with_params(params), params, -float(found.fun), bool(found.success))

    def predict(self, xpred: ArrayLike, theta: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Conditional mean and standard deviation of the noiseless flux, the first segment's offset added.

        Args:
            xpred: times [d], shape (m,).
            theta: parameters; the starting model's by default.

        Returns:
            Two arrays of shape (m,).
        """
        mean, covariance = self.conditional(xpred, theta)
        return mean, np.sqrt(np.maximum(np.diagonal(covariance), 0.0))

    def conditional(self, xpred: ArrayLike, theta: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Conditional mean, shape (m,), and covariance, shape (m, m), of the noiseless flux at `xpred` [d]."""
        asked = np.asarray(xpred, dtype=float)
        m, n = asked.size, self.x.size
        padded = np.pad(asked, (0, dense.padded_length(m) - m), mode="edge")
        every = np.concatenate([padded, self.x])
        lag, place = dense.distinct_lags(padded, every)
        cross = np.pad(place[:, padded.size :], [(0, 0), (0, len(self._data.y) - n)])
        with jax.enable_x64(True):
            places = cross, place[:, : padded.size]
            found = dense.posterior(self._at(theta), self._data, lag, places, self._amplitude_at(padded))
        return np.asarray(found.mean)[:m], np.asarray(found.covariance)[:m, :m]

    def sample_prior(
        self, xpred: ArrayLike, n_samples: int = 1, *, theta: ArrayLike | None = None, seed: int = 0
    ) -> Any:
        """Light curves of the signal before any measurement, mean zero, shape (n_samples, m)."""
        lag, place = dense.distinct_lags(*[np.asarray(xpred, dtype=float)] * 2)
        with jax.enable_x64(True):
            covariance = np.asarray(_covariance(self._at(theta), lag))[place]
        s = self._amplitude_at(np.asarray(xpred, dtype=float))
        covariance = covariance * s[:, None] * s[None, :]
        return _draw(np.zeros(len(place)), covariance, n_samples, seed)

    def sample_posterior(
        self, xpred: ArrayLike, n_samples: int = 1, *, theta: ArrayLike | None = None, seed: int = 0
    ) -> np.ndarray:
        """Light curves of the signal given the measurements, shape (n_samples, m)."""
        return _draw(*self.conditional(xpred, theta), n_samples, seed)

    def fisher(self, theta: ArrayLike | None = None) -> np.ndarray:
        """Expected information on the parameters, shape (n_param, n_param), in the order of `param_keys`."""
        at = np.asarray(self.theta0 if theta is None else theta, dtype=float)
        with jax.enable_x64(True):
            return np.asarray(dense.fisher_information(at, self._data, self.param_keys, self._term))

    def sample(self, n_samples: int = 1000, *, n_warmup: int = 500, seed: int = 0) -> Samples:
        """Draw from the posterior by the no-U-turn sampler; needs the ``mcmc`` extra."""
        from spotcat.gp.sampling import sample_nuts

        return sample_nuts(self, n_samples, n_warmup, seed)

    def plot_prediction(self, theta: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
        """Measurements and the conditional mean with one and two standard deviations."""
        from spotcat.gp import plots

        return plots.plot_prediction(self, theta, ax)

    def plot_acf(self, theta: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
        """Autocovariance of the measurements and of the model."""
        from spotcat.gp import plots

        return plots.plot_acf(self, theta, ax)

    def plot_psd(self, theta: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
        """Periodogram of the measurements and the model's spectrum."""
        from spotcat.gp import plots

        return plots.plot_psd(self, theta, ax)

    def plot_covariance(self, theta: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
        """The covariance matrix of the measurements."""
        from spotcat.gp import plots

        return plots.plot_covariance(self, theta, ax)

    def _amplitude_at(self, t: np.ndarray) -> np.ndarray:
        if self.amplitude is None:
            return np.ones(t.size)
        with jax.enable_x64(True):
            return np.asarray(self.amplitude(t))

    def _at(self, theta: ArrayLike | None) -> Any:
        """The fitted term at some parameters, the starting model's by default."""
        values = np.asarray(self.theta0 if theta is None else theta, dtype=float)
        return self._term.with_params(dict(zip(self.param_keys, values, strict=True)))

    def _call(self, function: Callable[..., Any], theta: ArrayLike) -> Any:
        with jax.enable_x64(True):
            return function(np.asarray(theta, dtype=float), self._data, self._box, self._term)


def _as_float64(term: Any) -> Any:
    """Parameters as float64 scalars, so that Python numbers and arrays share one compiled program."""
    return jax.tree.map(lambda x: np.asarray(x, dtype=np.float64), term)


def _draw(mean: np.ndarray, covariance: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Normal draws; by eigenvectors, since a smooth signal's covariance is singular to rounding."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return mean + np.random.default_rng(seed).normal(size=(n, len(mean))) @ root.T


def negative_log_posterior(theta: Array, data: dense.Observations, box: Box, template: Any) -> Array:
    """Negative log-posterior of parameters in the order of the template's, pure."""
    term = template.with_params(dict(zip(template.param_dict, theta, strict=True)))
    return -dense.log_likelihood(term, data) - box.log_prior(theta)


def _in_box(u: Array, data: dense.Observations, box: Box, template: Any) -> Array:
    return negative_log_posterior(box.values(u), data, box, template)


_covariance = jax.jit(lambda term, lag: term.covariance(lag))
_value = jax.jit(negative_log_posterior)
_value_and_grad = jax.jit(jax.value_and_grad(negative_log_posterior))
_value_and_grad_in_box = jax.jit(jax.value_and_grad(_in_box))
