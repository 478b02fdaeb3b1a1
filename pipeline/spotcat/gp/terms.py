"""Covariances of a light curve beside its spots, and sums of all of them.

A term has named parameters, a covariance in lag, a power spectral density, and a variance of its own for every
measurement.  A spot model becomes one as ``SpotTerm``; ``KernelSum`` adds terms up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from spotcat.gp.covariance import N_HARM, spot_covariance
from spotcat.gp.kernel import harmonics_needed, latitude_nodes_needed
from spotcat.gp.spectrum import spot_spectrum
from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.parameters import Parameters


class Term(Protocol):
    """What a Gaussian process needs of a covariance; every implementation is a pytree of its parameters."""

    @property
    def param_dict(self) -> dict[str, Any]:
        """Parameter names and values."""
        ...

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:
        """(low, high) of the parameters that are no positive scales."""
        ...

    def with_params(self, params: Mapping[str, Any]) -> Any:
        """The same term with other parameter values; those left out stay."""
        ...

    def covariance(self, lag: ArrayLike) -> Array:
        """Covariance at `lag` [d], shape (n,), of what is correlated in time."""
        ...

    def spectrum(self, omega: ArrayLike) -> Array:
        """Power spectral density at angular frequency `omega` [rad/d], shape (n,), two-sided."""
        ...

    def white(self) -> Any:
        """Variance that every measurement has for itself."""
        ...


class _Red(Parameters):
    """A term without white noise."""

    def white(self) -> Any:
        """None."""
        return 0.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class JitterTerm(Parameters):
    """White noise beyond the measurements' errors.

    Attributes:
        sigma_jitter: its standard deviation [relative flux].
    """

    sigma_jitter: Any

    def covariance(self, lag: ArrayLike) -> Array:
        """Zero: nothing is correlated."""
        return jnp.zeros_like(jnp.asarray(lag, float))

    def spectrum(self, omega: ArrayLike) -> Array:
        """Zero per frequency: white noise of single measurements has no density without a cadence."""
        return jnp.zeros_like(jnp.asarray(omega, float))

    def white(self) -> Any:
        """Variance that every measurement has for itself."""
        return self.sigma_jitter**2


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class OrnsteinUhlenbeckTerm(_Red):
    """Red noise, ``sigma^2 exp(-|tau|/t)``: granulation, systematics.

    Attributes:
        sigma_red: standard deviation [relative flux].
        tau_red: correlation time [d].
    """

    sigma_red: Any
    tau_red: Any

    def covariance(self, lag: ArrayLike) -> Array:
        """Covariance at `lag` [d]."""
        return self.sigma_red**2 * jnp.exp(-jnp.abs(jnp.asarray(lag, float)) / self.tau_red)

    def spectrum(self, omega: ArrayLike) -> Array:
        """``2 sigma^2 t / (1 + (omega t)^2)``."""
        return 2 * self.sigma_red**2 * self.tau_red / (1 + (jnp.asarray(omega, float) * self.tau_red) ** 2)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class DriftTerm(_Red):
    """A slow, smooth drift: Matern's covariance of order 3/2 (Rasmussen & Williams 2006, eq. 4.17).

    Attributes:
        sigma_drift: standard deviation [relative flux].
        tau_drift: correlation time [d].
    """

    sigma_drift: Any
    tau_drift: Any

    def covariance(self, lag: ArrayLike) -> Array:
        """``sigma^2 (1 + x) exp(-x)``, ``x = sqrt(3) |lag| / t``."""
        x = 3**0.5 * jnp.abs(jnp.asarray(lag, float)) / self.tau_drift
        return self.sigma_drift**2 * (1 + x) * jnp.exp(-x)

    def spectrum(self, omega: ArrayLike) -> Array:
        """``4 sigma^2 a^3 / (a^2 + omega^2)^2``, ``a = sqrt(3)/t``."""
        a = 3**0.5 / jnp.asarray(self.tau_drift)
        return 4 * self.sigma_drift**2 * a**3 / (a**2 + jnp.asarray(omega, float) ** 2) ** 2


@partial(jax.tree_util.register_dataclass, data_fields=["model"], meta_fields=["n_latitude", "n_harm"])
@dataclass(frozen=True)
class SpotTerm:
    """The spots of a star.

    Attributes:
        model: the star.
        n_latitude: latitude nodes of one hemisphere.
        n_harm: highest harmonic, where the visibility has no closed form of them all.
    """

    model: SpotEvolutionModel
    n_latitude: int = 128
    n_harm: int = N_HARM

    @classmethod
    def reaching(cls, model: SpotEvolutionModel, lag_max: float) -> SpotTerm:
        """With as many nodes and harmonics as an error of 1e-6 of K(0) up to a lag [d] takes."""
        n_harm = N_HARM if model.visibility.closed else harmonics_needed(model)
        return cls(model, latitude_nodes_needed(model, lag_max), n_harm)

    @property
    def param_dict(self) -> dict[str, Any]:
        """Parameter names and values."""
        return self.model.param_dict

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:
        """(low, high) of the parameters that are no positive scales."""
        return self.model.limits

    def with_params(self, params: Mapping[str, Any]) -> SpotTerm:
        """The same term with other parameter values; those left out stay."""
        return SpotTerm(self.model.with_params(dict(params)), self.n_latitude, self.n_harm)

    def covariance(self, lag: ArrayLike) -> Array:
        """Covariance at `lag` [d]."""
        return spot_covariance(lag, self.model, self.n_latitude, self.n_harm)

    def spectrum(self, omega: ArrayLike) -> Array:
        """Power spectral density at angular frequency `omega` [rad/d]."""
        return spot_spectrum(omega, self.model, self.n_latitude, self.n_harm)

    def white(self) -> Any:
        """None."""
        return 0.0


@jax.tree_util.register_pytree_node_class
class KernelSum:
    """A sum of terms.

    Parameters keep their names; two terms that share one are told apart by the keyword they were given under, as
    ``keyword_name``, but for the first of them.
    """

    def __init__(self, **terms: Term) -> None:
        """Add terms up, each under a keyword of its own."""
        self.terms = terms

    def _owners(self) -> dict[str, tuple[str, str]]:
        """Of every parameter of the sum, the keyword of its term and its name there."""
        owners: dict[str, tuple[str, str]] = {}
        for key, term in self.terms.items():
            for name in term.param_dict:
                owners[f"{key}_{name}" if name in owners else name] = (key, name)
        return owners

    def names_of(self, keyword: str) -> dict[str, str]:
        """The names in the sum of one term's parameters, by their own."""
        return {name: public for public, (key, name) in self._owners().items() if key == keyword}

    def tree_flatten(self) -> tuple[tuple[Term, ...], tuple[str, ...]]:
        """For JAX."""
        return tuple(self.terms.values()), tuple(self.terms)

    @classmethod
    def tree_unflatten(cls, keys: tuple[str, ...], terms: tuple[Term, ...]) -> KernelSum:
        """For JAX."""
        return cls(**dict(zip(keys, terms, strict=True)))

    @property
    def param_dict(self) -> dict[str, Any]:
        """Parameter names and values."""
        return {public: self.terms[key].param_dict[name] for public, (key, name) in self._owners().items()}

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """(low, high) of the parameters that are no positive scales."""
        owners = self._owners().items()
        return {pub: self.terms[key].limits[name] for pub, (key, name) in owners if name in self.terms[key].limits}

    def with_params(self, params: Mapping[str, Any]) -> KernelSum:
        """The same sum with other parameter values; those left out stay."""
        changed: dict[str, dict[str, Any]] = {key: {} for key in self.terms}
        owners = self._owners()
        for public, value in params.items():
            key, name = owners[public]
            changed[key][name] = value
        return KernelSum(**{key: term.with_params(changed[key]) for key, term in self.terms.items()})

    def covariance(self, lag: ArrayLike) -> Array:
        """Covariance at `lag` [d]."""
        return jnp.sum(jnp.stack([term.covariance(lag) for term in self.terms.values()]), axis=0)

    def spectrum(self, omega: ArrayLike) -> Array:
        """Power spectral density at angular frequency `omega` [rad/d]."""
        return jnp.sum(jnp.stack([term.spectrum(omega) for term in self.terms.values()]), axis=0)

    def white(self) -> Any:
        """Variance that every measurement has for itself."""
        return sum(term.white() for term in self.terms.values())

    def __repr__(self) -> str:
        return f"KernelSum({', '.join(f'{key}={term}' for key, term in self.terms.items())})"
