"""Simulated light curves of spotted stars, with the amplitude that the covariance promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.laws import UniformLatitude
from spotcat.star.population import SpotPopulation
from spotcat.star.visibility import projection

_SPOTS_AT_ONCE = 64
_STARS_AT_ONCE = 16
_NEVER = 1e9  # d


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Spots:
    """A list of spots; every array has shape (n_spot,), or a leading axis of stars.

    Attributes:
        latitude: latitude [rad].
        longitude: longitude at time zero [rad].
        peak_time: time zero of the spot's envelope [d]; for a symmetric one the middle of the spot's life.
        life: lifetime relative to the envelope's.
        area: peak area relative to the reference spot's.
    """

    latitude: ArrayLike
    longitude: ArrayLike
    peak_time: ArrayLike
    life: ArrayLike = 1.0
    area: ArrayLike = 1.0

    def table(self) -> Any:
        """An astropy table with units, spots that live only; a leading axis becomes the column ``star``."""
        from astropy.table import Table

        rows = np.broadcast_arrays(*(np.asarray(x) for x in (self.latitude, *self._rest())))
        alive = rows[2] < _NEVER
        star = np.broadcast_to(np.arange(len(alive))[:, None], alive.shape) if alive.ndim == 2 else None
        units = ("rad", "rad", "d", None, None)
        names = ("latitude", "longitude", "peak_time", "life", "area")
        table = Table([row[alive] for row in rows], names=names, units=units)
        if star is not None:
            table.add_column(star[alive], name="star", index=0)
        return table

    def _rest(self) -> tuple[ArrayLike, ...]:
        return self.longitude, self.peak_time, self.life, self.area


def flux_deficit(t: ArrayLike, model: SpotEvolutionModel, spots: Spots) -> Array:
    """Sum over spots of what each hides at its place and size of the moment, for unit peak deficit.

    For small spots ``a_k Gamma^2((t - t_k)/f_k) V(longitude_k + omega_0 t)``.

    Args:
        t: time [d], shape (n,).
        model: envelope and visibility.
        spots: the spots.

    Returns:
        Shape (n,), dimensionless.
    """
    t = jnp.asarray(t)

    def one(spot: Spots) -> Array:
        a0, a1, _ = projection(spot.latitude, model.visibility.inc)
        longitude = spot.longitude + model.visibility.omega_0(spot.latitude) * t
        radius = model.envelope.Gamma((t - spot.peak_time) / spot.life) * jnp.sqrt(spot.area)
        return model.visibility.deficit(a0 + a1 * jnp.cos(longitude), radius)

    each = jax.tree.map(lambda x: jnp.broadcast_to(x, jnp.shape(spots.latitude)), spots)
    return jnp.sum(jax.lax.map(one, each, batch_size=_SPOTS_AT_ONCE), axis=0)


_flux_deficit = jax.jit(flux_deficit)


def _whole_batches(spots: Spots) -> Spots:
    """The spots, and as many that never live as fill a batch: few numbers of spots are compiled."""
    missing = -np.size(spots.latitude) % _SPOTS_AT_ONCE
    each = jax.tree.map(lambda x: np.broadcast_to(np.asarray(x, float), np.shape(spots.latitude)), spots)
    return Spots(
        np.pad(each.latitude, (0, missing)),
        np.pad(each.longitude, (0, missing)),
        np.pad(each.peak_time, (0, missing), constant_values=_NEVER),
        np.pad(each.life, (0, missing), constant_values=1.0),
        np.pad(each.area, (0, missing), constant_values=1.0),
    )


class LightcurveModel:
    """A simulated light curve on a regular cadence.

    Attributes:
        t: times [d].
        flux: relative flux, 1 without spots.
        spots: the spots that made it.
    """

    def __init__(self, spot_model: SpotEvolutionModel, spots: Spots, t: np.ndarray, depth: float) -> None:
        """Compute the light curve.

        Args:
            spot_model: envelope and visibility.
            spots: the spots.
            t: times [d], shape (n,).
            depth: peak flux deficit of one spot at the disk's centre, ``(1 - fspot) alpha_max^2``.
        """
        self.spot_model = spot_model
        self.spots = spots
        self.t = t
        self.depth = depth
        with jax.enable_x64(True):
            self.flux = 1.0 - depth * np.asarray(_flux_deficit(t, spot_model, _whole_batches(spots)))

    @classmethod
    def from_spot_model(
        cls,
        spot_model: SpotEvolutionModel,
        nspot: int = 30,
        tsim: float = 150.0,
        tsamp: float = 0.5,
        lat: Sequence[float] | None = None,
        long: Sequence[float] = (0.0, 2 * np.pi),
        *,
        seed: int | np.random.Generator | None = None,
    ) -> LightcurveModel:
        """Draw spots and compute the light curve.

        Peak times are uniform over the simulation and half a spot's life beyond either end, so the light curve is
        stationary.  The number of spots sets the rate, and the depth of each follows from the model's `sigma_k`:
        simulated variance and covariance agree with the kernel whatever `nspot` is.

        Args:
            spot_model: the star.
            nspot: number of spots to place.
            tsim: duration [d].
            tsamp: cadence [d].
            lat: range of latitudes [rad], uniform; the model's own law by default.
            long: range of longitudes [rad], uniform.
            seed: seed or generator; without one, NumPy's global state decides, so ``np.random.seed`` is honoured.

        Raises:
            ValueError: `nspot`, `tsim` or `tsamp` is not positive.
        """
        if nspot < 1 or tsim <= 0 or tsamp <= 0:
            raise ValueError(f"nspot, tsim and tsamp must be positive, got {nspot}, {tsim} d, {tsamp} d")
        if seed is None:
            seed = int(np.random.randint(2**31))  # noqa: NPY002
        rng = np.random.default_rng(seed)
        spots, window = _drawn(spot_model, nspot, tsim, (lat, long), rng)
        depth = float(spot_model.sigma_k) / np.sqrt(nspot / window)
        return cls(spot_model, spots, np.arange(0, tsim, tsamp), depth)


def _drawn(
    model: SpotEvolutionModel,
    nspot: int,
    tsim: float,
    ranges: tuple[Sequence[float] | None, Sequence[float]],
    rng: np.random.Generator,
) -> tuple[Spots, float]:
    """So many spots, and the length of the window [d] that they emerge in."""
    lat, long = ranges
    law, envelope = model.latitude, model.envelope
    start, end = (float(x) for x in envelope.span())
    if lat is None and isinstance(law, UniformLatitude):
        lat = (-np.pi / 2, np.pi / 2)
    if lat is None:
        latitude = np.asarray(law.quantile(rng.uniform(size=nspot)))
    else:
        latitude = rng.uniform(lat[0], lat[1], nspot)
    longitude, peak_time = rng.uniform(long[0], long[1], nspot), rng.uniform(-end, tsim - start, nspot)
    scales: tuple[ArrayLike, ArrayLike] = (1.0, 1.0)
    if isinstance(envelope, SpotPopulation):
        scales = envelope.draw(*rng.uniform(size=(2, nspot)))
    return Spots(latitude, longitude, peak_time, *scales), tsim + (end - start)


class Simulation(NamedTuple):
    """Light curves of many stars.

    Attributes:
        flux: relative flux, 1 without spots, shape (n_star, n_time).
        spots: the spots that made them, shape (n_star, n_spot); of those that never live the peak time is far away.
    """

    flux: Array
    spots: Spots


def draw_spots(key: Array, count: ArrayLike, model: SpotEvolutionModel, duration: ArrayLike, n_spot: int) -> Spots:
    """Spots of one star that live some time between 0 and `duration` [d]; pure, for ``jit`` and ``vmap``.

    Args:
        key: of JAX's random numbers.
        count: number of spots, at most `n_spot`.
        model: the star.
        duration: of the light curve [d].
        n_spot: length of the arrays; the spots beyond `count` never live.
    """
    start, end = model.envelope.span()
    u = jax.random.uniform(key, (5, n_spot), dtype=jnp.result_type(float))
    envelope: Any = model.envelope
    ones = jnp.ones(n_spot)
    life, area = envelope.draw(u[3], u[4]) if isinstance(envelope, SpotPopulation) else (ones, ones)
    peak_time = jnp.where(jnp.arange(n_spot) < count, -end + (duration + end - start) * u[2], _NEVER)
    return Spots(model.latitude.quantile(u[0]), 2 * jnp.pi * u[1], peak_time, life, area)


def simulate_stars(
    model: SpotEvolutionModel, t: ArrayLike, n_star: int, *, nspot_rate: float = 0.5, seed: int = 0
) -> Simulation:
    """Light curves of `n_star` stars of one model at once.

    Spots emerge at `nspot_rate` a day, Poissonian in number, each with the depth that gives the model's `sigma_k`.

    Args:
        model: the star.
        t: times [d], from 0 on, shape (n_time,).
        n_star: number of stars.
        nspot_rate: spots that emerge per day.
        seed: of JAX's random numbers; the same seed gives the same stars.
    """
    times = np.asarray(t, dtype=float)
    start, end = (float(x) for x in model.envelope.span())
    counts = np.random.default_rng(seed).poisson(nspot_rate * (times.max() + end - start), n_star)
    n_spot = -(-max(int(counts.max()), 1) // _SPOTS_AT_ONCE) * _SPOTS_AT_ONCE
    counts = np.pad(counts, (0, -n_star % _STARS_AT_ONCE))  # whole batches: a rest would be compiled apart
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(seed), counts.size)
        made = _simulate(keys, counts, jax.tree.map(np.float64, model), jnp.asarray(times), nspot_rate, n_spot)
        return jax.tree.map(lambda x: x[:n_star], made)


@partial(jax.jit, static_argnums=5)
def _simulate(
    keys: Array, counts: Array, model: SpotEvolutionModel, t: Array, nspot_rate: ArrayLike, n_spot: int
) -> Simulation:
    depth = model.sigma_k / jnp.sqrt(nspot_rate)

    def one(star: tuple[Array, Array]) -> Simulation:
        spots = draw_spots(*star, model, t.max(), n_spot)
        return Simulation(1 - depth * flux_deficit(t, model, spots), spots)

    return jax.lax.map(one, (keys, counts), batch_size=_STARS_AT_ONCE)
