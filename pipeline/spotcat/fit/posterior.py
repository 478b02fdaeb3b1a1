"""Laplace posterior of a star's best mode and the catalog quantities that follow from it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.special import expit

from spotcat.config import Spots
from spotcat.fit.climb import positive_definite
from spotcat.model.harmonics import rotation_of
from spotcat.model.laws import envelope_of, latitude_of, visibility_of
from spotcat.model.layout import KAPPA_MAX, N_SHAPE, Layout, Priors

N_DRAWS = 512
KEPT_DRAWS = 128
KEPT = ("prot", "spot_lifetime", "kappa", "inc", "sigma_k")
"""So many draws of these quantities go into the catalog."""
_NODES = 64


class Quantities(NamedTuple):
    """What the catalog says of a star; times in days, angles in radians."""

    prot: np.ndarray
    peq: np.ndarray
    lspot: np.ndarray
    tau_spot: np.ndarray
    spot_lifetime: np.ndarray
    spot_support: np.ndarray
    n_life_rot: np.ndarray
    kappa: np.ndarray
    inc: np.ndarray
    sigma_k: np.ndarray
    amplitude: np.ndarray


def quantities(theta: np.ndarray, scale: np.ndarray, layout: Layout) -> Quantities:
    """Catalog quantities of parameter vectors.

    The period is that of the mean angular velocity of the latitudes, weighted by the power of their first harmonic:
    ``prot = peq / (1 - kappa <sin^2 phi>)``; `with_period` puts what the light curve shows in its place.

    Args:
        theta: parameters, shape (..., n_theta).
        scale: standard deviation of the relative flux, broadcast with the leading axes of `theta`.
        layout: where what is.
    """
    peq, plateau, decay = np.exp(theta[..., 0]), np.exp(theta[..., 3]), np.exp(theta[..., 4])
    kappa, inc = KAPPA_MAX * expit(theta[..., 1]), np.pi / 2 * expit(theta[..., 2])
    angles, latitude, rotating = _seen_latitudes(layout.n_harm, layout.spots)
    prot = peq / (1 - kappa * np.interp(inc, angles, latitude))
    envelope = envelope_of(layout.spots)
    with jax.enable_x64(True):
        measures = envelope.at_zero, envelope.lifetime, envelope.support
        at_zero, lifetime, support = (np.asarray(measure(plateau, decay)) for measure in measures)
    at_zero = at_zero * np.interp(inc, angles, rotating) ** 2
    return Quantities(
        prot=prot,
        peq=peq,
        lspot=envelope.full_size(plateau),
        tau_spot=decay,
        spot_lifetime=lifetime,
        spot_support=support,
        n_life_rot=lifetime / prot,
        kappa=kappa,
        inc=inc,
        sigma_k=scale * np.sqrt(np.exp(theta[..., N_SHAPE]) / at_zero),
        amplitude=scale * np.exp(theta[..., N_SHAPE] / 2),
    )


def with_period(some: Quantities, prot: np.ndarray) -> Quantities:
    """The same with another photometric period [d], of the shape of ``some.prot``."""
    return some._replace(prot=prot, n_life_rot=some.spot_lifetime / prot)


def rotating_share(theta: np.ndarray, layout: Layout) -> np.ndarray:
    """Share of rotation in the variance of rotation and red noise; `theta` has its coordinates on the last axis."""
    rotating = np.exp(theta[..., N_SHAPE])
    return np.asarray(rotating / (rotating + np.exp(theta[..., layout.reds]).sum(axis=-1)))


@cache
def _seen_latitudes(n_harm: int, spots: Spots) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inclinations [rad], and at each ``<sin^2 phi>`` of the first harmonic and the root of the power of all n >= 1."""
    angles = np.linspace(0.0, np.pi / 2, 257)

    def at(inc: Array) -> tuple[Array, Array]:
        visibility = visibility_of(spots, 2 * jnp.pi, 1.0, inc)
        rate, power = rotation_of(visibility, latitude_of(spots), n_harm, _NODES)  # rate = cos^2 phi
        return 1 - (power[1] @ rate) / jnp.maximum(power[1].sum(), 1e-300), jnp.sqrt(power[1:].sum())

    with jax.enable_x64(True):
        latitude, rotating = (np.array(a) for a in jax.jit(jax.vmap(at))(angles))
    latitude[0] = latitude[1]  # seen pole-on nothing rotates: the limit
    return angles, latitude, rotating


def normal_draws(n_theta: int) -> np.ndarray:
    """The same standard normal draws for every star, in antithetic pairs; shape (N_DRAWS, n_theta)."""
    half = np.random.default_rng(20_13).standard_normal((N_DRAWS // 2, n_theta))
    return np.concatenate([half, -half])


def laplace_draws(theta: np.ndarray, curvature: np.ndarray, layout: Layout) -> np.ndarray:
    """Draws from the Laplace approximation.

    Args:
        theta: modes, shape (B, n_theta).
        curvature: information matrices, shape (B, n_theta, n_theta).
        layout: where what is.

    Returns:
        Shape (B, N_DRAWS, n_theta).
    """
    factor = np.linalg.cholesky(positive_definite(curvature))
    moved = np.linalg.solve(np.swapaxes(factor, -1, -2), normal_draws(layout.n_theta).T)
    return theta[:, None] + np.swapaxes(moved, -1, -2)


def kept(draws: np.ndarray) -> np.ndarray:
    """The draws that are kept, evenly spaced among all of them, shape (B, KEPT_DRAWS)."""
    return draws[:, :: draws.shape[1] // KEPT_DRAWS][:, :KEPT_DRAWS].astype(np.float32)


def shrinkage(draws: Quantities, priors: Priors) -> dict[str, np.ndarray]:
    """How much narrower than the prior the posterior is, ``1 - var(posterior) / var(prior)``, below 0 as 0.

    Args:
        draws: posterior draws, arrays of shape (B, D).
        priors: of the fit.

    Returns:
        For ``kappa``, ``inc`` and ``spot_lifetime`` (its logarithm), shape (B,).
    """
    seen = {"kappa": draws.kappa, "inc": draws.inc, "spot_lifetime": np.log(draws.spot_lifetime)}
    prior = prior_variances(priors)
    return {name: np.maximum(1 - values.var(axis=1) / prior[name], 0.0) for name, values in seen.items()}


def prior_variances(priors: Priors) -> dict[str, float]:
    """Variances of kappa (half-normal up to ``KAPPA_MAX``), of inc [rad^2] (isotropic) and of ln spot_lifetime.

    Nothing but the box of the fit bounds a lifetime from above: its logarithm counts as uniform over a factor of 1000.
    """
    kappa, inc = np.linspace(0, KAPPA_MAX, 2001), np.linspace(0, np.pi / 2, 2001)

    def variance(x: np.ndarray, density: np.ndarray) -> float:
        mean = np.average(x, weights=density)
        return float(np.average((x - mean) ** 2, weights=density))

    shear = variance(kappa, np.exp(-0.5 * (kappa / priors.shear) ** 2))
    return {"kappa": shear, "inc": variance(inc, np.sin(inc)), "spot_lifetime": np.log(1000.0) ** 2 / 12}
