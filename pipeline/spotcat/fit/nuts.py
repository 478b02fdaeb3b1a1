"""No-U-turn sampling of the exact posterior (Hoffman & Gelman 2014, JMLR 15, 1593): the check on the faster samplers.

Chains run in coordinates that the moments of importance draws have made round, and begin at some of these draws.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.fit.confirm import GridStar, bytes_of_lane, exact_posterior
from spotcat.fit.importance import Sampled, wall
from spotcat.fit.lanes import Device, lanes_on, map_lanes
from spotcat.fit.posterior import N_DRAWS
from spotcat.gp.sampling import run_chain
from spotcat.model.layout import Layout

CHAINS, WARM_UP, LENGTH = 4, 600, 512
"""Chains, steps of their warm-up and draws of each, of which so many are kept that all have N_DRAWS.

A shorter warm-up does not learn the ridge between white noise and the fastest red noise, and shorter chains do not
walk along it."""
SEED = 20_11


def nuts_sample(draws: np.ndarray, stars: GridStar, layout: Layout, n_segments: int, device: Device) -> Sampled:
    """Draw from the exact posteriors of some stars.

    Args:
        draws: importance draws, shape (n, D, n_theta).
        stars: the stars, leading axis B >= n.
        layout: the bucket's model.
        n_segments: offset columns.
        device: where the chains run.
    """
    from blackjax.diagnostics import effective_sample_size, potential_scale_reduction

    n, n_theta = len(draws), layout.n_theta
    centre = draws.mean(axis=1)
    covariance = np.stack([np.cov(d.T) for d in draws]) + 1e-9 * np.eye(n_theta)
    factor = np.linalg.cholesky(covariance)
    begin = draws[:, :: draws.shape[1] // CHAINS][:, :CHAINS]
    owner = np.repeat(np.arange(n), CHAINS)
    room = len(stars.y) * CHAINS
    chains = [np.resize(a, (room, *a.shape[1:])) for a in (begin.reshape(-1, n_theta), owner)]
    # Every star has the same keys: its draws do not depend on its neighbours.
    keys = np.resize(np.asarray(jax.random.split(jax.random.key_data(jax.random.key(SEED)), CHAINS)), (room, 2))
    sizes = layout, n_segments, LENGTH, lanes_on(device, bytes_of_lane(layout, layout.n_time), room)
    padded = [np.resize(a, (len(stars.y), *a.shape[1:])) for a in (centre, factor)]
    theta, divergent = run_chains(*chains, keys, stars, *padded, n * CHAINS, *sizes)
    theta = np.asarray(theta)[: n * CHAINS].reshape(n, CHAINS, -1, n_theta)
    by_chain = jnp.asarray(np.moveaxis(theta, 0, -1))
    # blackjax drops axes of length one, also that of a single star.
    n_eff, r_hat = (
        np.asarray(f(by_chain)).reshape(n_theta, n) for f in (effective_sample_size, potential_scale_reduction)
    )
    return Sampled(
        theta=theta[:, :, :: LENGTH * CHAINS // N_DRAWS].reshape(n, -1, n_theta),
        n_eff=n_eff.min(axis=0),
        pareto_k=np.full(n, np.nan),
        r_hat=r_hat.max(axis=0),
        n_divergent=np.asarray(divergent)[: n * CHAINS].reshape(n, CHAINS).sum(axis=1).astype(float),
    )


@partial(jax.jit, static_argnames=("n_segments", "n_draws", "lanes"))
def run_chains(
    begin: Array,
    owner: Array,
    keys: Array,
    stars: GridStar,
    centre: Array,
    factor: Array,
    count: Array | int,
    layout: Layout,
    n_segments: int,
    n_draws: int,
    lanes: int,
) -> tuple[Array, Array]:
    """Adapt and run the first `count` of some chains.

    Args:
        begin: where they begin, shape (N, n_theta).
        owner: star of each, shape (N,).
        keys: random keys, shape (N, 2).
        stars: leading axis B.
        centre: middle of each star's coordinates, shape (B, n_theta).
        factor: Cholesky factors of their covariance, shape (B, n_theta, n_theta).
        count: chains to run.
        layout: the bucket's model.
        n_segments: offset columns.
        n_draws: draws of each chain.
        lanes: chains side by side.

    Returns:
        Draws, shape (N, n_draws, n_theta), and how many transitions diverged, shape (N,).
    """

    def one(item: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        start, i, key = item
        star, middle, scale = jax.tree.map(lambda a: a[i], (stars, centre, factor))
        density = _log_density(star, layout, n_segments)

        def round_density(z: Array) -> Array:
            return density(middle + scale @ z)

        z = jax.scipy.linalg.solve_triangular(scale, start - middle, lower=True)
        found = run_chain(key, z, round_density, n_draws, WARM_UP, max_num_doublings=6, dense=True)
        return middle + found.position @ scale.T, found.divergent.sum()

    return map_lanes(one, (begin, owner, keys), count, lanes)


def _log_density(star: GridStar, layout: Layout, n_segments: int):  # type: ignore[no-untyped-def]
    """Log-posterior within the soft bounds of ``importance.wall``, with the gradient of ``exact_posterior``."""

    def value_and_slope(theta: Array) -> tuple[Array, Array]:
        exact = exact_posterior(theta, star, layout, n_segments, layout.n_time)
        bound, steepness = jax.value_and_grad(wall)(theta, layout)
        return -exact.value - bound, -exact.slope - steepness

    @jax.custom_vjp
    def density(theta: Array) -> Array:
        return value_and_slope(theta)[0]

    density.defvjp(value_and_slope, lambda slope, cotangent: (cotangent * slope,))
    return density
