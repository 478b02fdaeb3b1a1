"""Envelopes without closed forms: the modulated gamma, and whatever else a user writes down as ``Gamma``.

Autocorrelation and Fourier transform come by quadrature whose nodes follow the parameters, so both are differentiable
in them, inside ``jit`` and ``vmap``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.star.envelopes.base import EnvelopeBase
from spotcat.star.parameters import INFINITE, OwnParameters
from spotcat.star.quadrature import LN_TAIL

_GAMMA_PARTS = 48
_CUSTOM_PARTS = 16
_SAMPLES = 1024
_NEWTON = 8


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class ModulatedGammaEnvelope(EnvelopeBase):
    """A gamma-shaped radius with a periodic modulation, ``(t/tau)^alpha exp(-t/tau) [1 + a cos(omega t)]``, peak 1.

    Time zero is the beginning.  Numbers hold to 1e-8 for ``alpha_env >= 0.3`` and ``omega_mod tau_spot <= 7``.

    Attributes:
        alpha_env: exponent of the rise.
        tau_spot: e-folding time of the decaying radius [d].
        a_mod: depth of the modulation, between -0.99 and 0.99.
        omega_mod: its angular frequency [rad/d].
    """

    alpha_env: Any
    tau_spot: Any
    a_mod: Any = 0.0
    omega_mod: Any = 0.0

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"a_mod": (-0.99, 0.99), "omega_mod": (0.0, INFINITE)}

    def _ln_shape(self, t: ArrayLike) -> Array:
        x = jnp.asarray(t) / self.tau_spot
        return self.alpha_env * jnp.log(x) - x + jnp.log(1 + self.a_mod * jnp.cos(self.omega_mod * jnp.asarray(t)))

    def _ln_peak(self) -> Array:
        held = jax.lax.stop_gradient(self)
        w, a = held.omega_mod, held.a_mod

        def step(_: int, t: Array) -> Array:
            level, swing = 1 + a * jnp.cos(w * t), a * w * jnp.sin(w * t)
            slope = held.alpha_env / t - 1 / held.tau_spot - swing / level
            curvature = -held.alpha_env / t**2 - (w**2 * (level - 1) * level + swing**2) / level**2
            return t - slope / jnp.minimum(curvature, -1e-12)

        t = held._end() * (np.arange(_SAMPLES) + 0.5) / _SAMPLES
        top = jax.lax.fori_loop(0, _NEWTON, step, t[jnp.argmax(held._ln_shape(t))])
        # The peak's own motion does not change its height.
        return self._ln_shape(top)

    def _end(self) -> Array:
        """Where the area has fallen to 1e-8: ``x - alpha - alpha ln(x/alpha) = ln(1e8)/2`` in units of tau."""
        alpha = jnp.asarray(self.alpha_env, float)

        def step(x: Array, alpha: Array) -> Array:
            return x - (x - alpha - alpha * jnp.log(x / alpha) - LN_TAIL / 2) / (1 - alpha / x)

        held = jax.lax.stop_gradient(alpha)
        x = jax.lax.fori_loop(0, _NEWTON, lambda _, x: step(x, held), held + LN_TAIL)
        return step(x, alpha) * self.tau_spot

    def edges(self) -> Array:
        """Times [d], denser towards the beginning, where the area is a broken power."""
        return self._end() * (np.arange(_GAMMA_PARTS + 1) / _GAMMA_PARTS) ** 3

    def Gamma(self, t: ArrayLike) -> Array:
        """Relative radius at time `t` [d] from the beginning."""
        t = jnp.asarray(t, float)
        alive = t > 0
        return jnp.where(alive, jnp.exp(self._ln_shape(jnp.where(alive, t, self.tau_spot)) - self._ln_peak()), 0.0)


@partial(jax.tree_util.register_dataclass, data_fields=["params"], meta_fields=["gamma", "life", "param_limits"])
@dataclass(frozen=True, repr=False)
class CustomEnvelope(OwnParameters, EnvelopeBase):
    """An envelope of the user's own, from its radius alone.

    Attributes:
        gamma: ``gamma(t, **params)``, the radius at times `t` [d] relative to its peak; made of ``jax.numpy``.
        life: ``life(**params)``, times [d] between which the radius is smooth, first and last the ends of the spot's
            life; two are enough where it has no kinks.
        params: its parameters by name.
        param_limits: (low, high) of the parameters that are no positive scales.
    """

    gamma: Callable[..., Array]
    life: Callable[..., Any]
    params: dict[str, Any]
    param_limits: tuple[tuple[str, tuple[float, float]], ...] = field(default=())

    def edges(self) -> Array:
        """The user's times, and as many between as make some 16 intervals."""
        kinks = jnp.stack([jnp.asarray(t, float) for t in self.life(**self.params)])
        parts = -(-_CUSTOM_PARTS // (len(kinks) - 1))
        inner = kinks[:-1, None] + jnp.diff(kinks)[:, None] * (np.arange(parts) / parts)
        return jnp.concatenate([inner.ravel(), kinks[-1:]])

    def Gamma(self, t: ArrayLike) -> Array:
        """Relative radius at time `t` [d]; zero outside the life."""
        t = jnp.asarray(t, float)
        edges = self.edges()
        alive = (t >= edges[0]) & (t <= edges[-1])
        inside = jnp.clip(t, edges[0], edges[-1])
        return jnp.where(alive, self.gamma(inside, **self.params), 0.0)
