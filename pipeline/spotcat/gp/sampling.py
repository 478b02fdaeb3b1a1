"""Samples of a one-star posterior by the no-U-turn sampler (Hoffman & Gelman 2014, JMLR 15, 1593) of blackjax."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.gp import dense

if TYPE_CHECKING:
    from spotcat.gp.solver import GPSolver


class Samples(NamedTuple):
    """Draws from the posterior.

    Attributes:
        param_keys: parameter names.
        values: shape (n_samples, n_param).
        log_posterior: of the free coordinates, up to a constant, shape (n_samples,).
        n_divergent: steps that left the region where the integrator can be trusted.
        acceptance: mean acceptance probability.
    """

    param_keys: tuple[str, ...]
    values: np.ndarray
    log_posterior: np.ndarray
    n_divergent: int
    acceptance: float

    def quantiles(self, levels: tuple[float, ...] = (0.16, 0.5, 0.84)) -> dict[str, tuple[float, ...]]:
        """Quantiles of every parameter by name."""
        found = np.quantile(self.values, levels, axis=0).T
        return {key: tuple(row.tolist()) for key, row in zip(self.param_keys, found, strict=True)}

    def plot_corner(self, **options: Any) -> Any:
        """A corner plot by the package ``corner``, of the ``mcmc`` extra; options are passed on."""
        from corner import corner

        return corner(self.values, labels=list(self.param_keys), **options)


class Chain(NamedTuple):
    """What each draw of a chain has: its position (p,), log-density, whether it diverged, and its acceptance."""

    position: Array
    log_density: Array
    divergent: Array
    acceptance: Array


def sample_nuts(solver: GPSolver, n_samples: int, n_warmup: int, seed: int) -> Samples:
    """Draw from the posterior, in the free coordinates of ``gp.coordinates``, from the starting model on.

    Step size and mass matrix are adapted in the warm-up.  One chain stays at the mode it starts at: start at a survey
    fit's, or at ``fit_map``'s.

    Raises:
        ImportError: blackjax is not installed.
    """
    try:
        import blackjax  # noqa: F401
    except ImportError:
        raise ImportError("sampling needs blackjax: pip install 'spotcat[mcmc]'") from None
    with jax.enable_x64(True):
        box = jax.tree.map(jnp.asarray, solver._box)
        u = jnp.clip(box.fractions(jnp.asarray(solver.theta0)), 1e-3, 1 - 1e-3)
        start = jnp.log(u) - jnp.log1p(-u)
        key = jax.random.key(seed)
        run = _run(key, start, solver._data, box, solver._term, n_samples, n_warmup)
        theta = np.asarray(jax.vmap(lambda x: box.values(jax.nn.sigmoid(x)))(run.position))
    n_divergent, acceptance = int(run.divergent.sum()), float(run.acceptance.mean())
    return Samples(solver.param_keys, theta, np.asarray(run.log_density), n_divergent, acceptance)


@partial(jax.jit, static_argnums=(5, 6))
def _run(
    key: Array, start: Array, data: dense.Observations, box: Any, template: Any, n_samples: int, n_warmup: int
) -> Chain:
    def log_density(free: Array) -> Array:
        theta = box.values(jax.nn.sigmoid(free))
        term = template.with_params(dict(zip(template.param_dict, theta, strict=True)))
        value = dense.log_likelihood(term, data) + box.log_density(free)
        return jnp.where(jnp.isfinite(value), value, -1e12)

    return run_chain(key, start, log_density, n_samples, n_warmup)


def run_chain(
    key: Array,
    start: Array,
    log_density: Callable[[Array], Array],
    n_draws: int,
    n_warm_up: int,
    max_num_doublings: int = 10,
    dense: bool = False,
) -> Chain:
    """Adapt step size and mass matrix, then draw; for use within ``jax.jit``, where blackjax is installed.

    Args:
        key: random key.
        start: where the chain begins, shape (p,).
        log_density: of a position, up to a constant.
        n_draws: positions to keep, after those of the warm-up.
        n_warm_up: steps of the warm-up.
        max_num_doublings: of a trajectory.
        dense: adapt a whole mass matrix, not its diagonal alone.
    """
    import blackjax

    warm_key, key = jax.random.split(key)
    options = {"max_num_doublings": max_num_doublings, "is_mass_matrix_diagonal": not dense}
    adapt = blackjax.window_adaptation(blackjax.nuts, log_density, **options)
    (state, tuned), _ = adapt.run(warm_key, start, num_steps=n_warm_up)
    step = blackjax.nuts(log_density, **tuned).step

    def one(state: Any, key: Array) -> tuple[Any, Chain]:
        state, info = step(key, state)
        return state, Chain(state.position, state.logdensity, info.is_divergent, info.acceptance_rate)

    return jax.lax.scan(one, state, jax.random.split(key, n_draws))[1]
