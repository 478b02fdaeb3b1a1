"""Simulated light curves of spotted stars, with the amplitude that the covariance promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.visibility import projection

_SPOTS_AT_ONCE = 64
_NEVER = 1e9  # d


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Spots:
    """A list of spots; every array has shape (n_spot,).

    Attributes:
        latitude: latitude [rad].
        longitude: longitude at time zero [rad].
        peak_time: middle of the spot's life [d].
    """

    latitude: ArrayLike
    longitude: ArrayLike
    peak_time: ArrayLike


def flux_deficit(t: ArrayLike, model: SpotEvolutionModel, spots: Spots) -> Array:
    """Sum over spots of ``Gamma^2(t - t_k) V(longitude_k + omega_0 t)``, for unit peak deficit.

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
        return model.envelope.Gamma(t - spot.peak_time) ** 2 * jnp.maximum(a0 + a1 * jnp.cos(longitude), 0.0)

    return jnp.sum(jax.lax.map(one, spots, batch_size=_SPOTS_AT_ONCE), axis=0)


_flux_deficit = jax.jit(flux_deficit)


def _whole_batches(spots: Spots) -> Spots:
    """The spots, and as many that never live as fill a batch: few numbers of spots are compiled."""
    missing = -np.size(spots.latitude) % _SPOTS_AT_ONCE
    return Spots(
        np.pad(np.asarray(spots.latitude, float), (0, missing)),
        np.pad(np.asarray(spots.longitude, float), (0, missing)),
        np.pad(np.asarray(spots.peak_time, float), (0, missing), constant_values=_NEVER),
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
        lat: Sequence[float] = (-np.pi / 2, np.pi / 2),
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
            lat: range of latitudes [rad], uniform.
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
        life = float(spot_model.kernel_support())
        window = tsim + life
        spots = Spots(
            latitude=rng.uniform(lat[0], lat[1], nspot),
            longitude=rng.uniform(long[0], long[1], nspot),
            peak_time=rng.uniform(-life / 2, tsim + life / 2, nspot),
        )
        depth = float(spot_model.sigma_k) / np.sqrt(nspot / window)
        return cls(spot_model, spots, np.arange(0, tsim, tsamp), depth)
