"""What a rotating, inclined star shows of a small spot: ``V = max(0, a0 + a1 cos(longitude))``.

``a0 = cos i sin phi`` and ``a1 = sin i cos phi`` for inclination ``i`` and latitude ``phi``.  A spot is seen while its
longitude is within ``theta_v`` of the meridian; ``theta_v = arccos(-a0/a1)`` is 0 for a spot that never rises and
pi for one that never sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import factorial
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from spotcat.star.parameters import INFINITE

_SERIES_TERMS = 11


def projection(phi: ArrayLike, inc: ArrayLike) -> tuple[Array, Array, Array]:
    """Projection terms and half-width of visibility of a spot.

    Args:
        phi: latitude [rad].
        inc: inclination [rad], 0 seen pole-on, pi/2 edge-on.

    Returns:
        ``a0``, ``a1`` and ``theta_v`` [rad], broadcast over the arguments.
    """
    a0 = jnp.cos(inc) * jnp.sin(phi)
    a1 = jnp.sin(inc) * jnp.cos(phi)
    rises_and_sets = jnp.abs(a0) < a1 * (1 - 1e-14)
    # arccos has an infinite slope at the circumpolar limits and a1 may be zero: guard the argument as well
    # as the value, or the branch that is not taken poisons every gradient.
    ratio = jnp.where(rises_and_sets, -a0 / jnp.where(rises_and_sets, a1, 1.0), 0.0)
    theta = jnp.where(rises_and_sets, jnp.arccos(ratio), jnp.where(a0 > 0, jnp.pi, 0.0))
    return a0, a1, theta


def fourier_coefficients(phi: ArrayLike, inc: ArrayLike, n_harm: int) -> Array:
    """Coefficients of ``V = sum_n c_n exp(i n longitude)`` for ``n = 0 .. n_harm``.

    ``c_n = (a0 sin(n theta)/n + a1/2 [sin((n-1) theta)/(n-1) + sin((n+1) theta)/(n+1)]) / pi``, with its limits at
    n = 0, 1.

    Args:
        phi: latitude [rad], shape S.
        inc: inclination [rad], broadcast with `phi`.
        n_harm: highest harmonic, at least 1.

    Returns:
        Shape (n_harm + 1, S).
    """
    a0, a1, theta = projection(phi, inc)
    sine = _sines(jnp.sin(theta), jnp.cos(theta), n_harm + 1)
    c = [theta * a0 + a1 * sine[1], a0 * sine[1] + a1 / 2 * (theta + sine[2] / 2)]
    c += [a0 * sine[n] / n + a1 / 2 * (sine[n - 1] / (n - 1) + sine[n + 1] / (n + 1)) for n in range(2, n_harm + 1)]
    return jnp.stack(c) / jnp.pi


def _sines(sine: Array, cosine: Array, n: int) -> list[Array]:
    """``sin(k theta)`` for k = 0 .. n, by Chebyshev's recurrence: library calls would be most of a kernel's cost."""
    out = [jnp.zeros_like(sine), sine]
    for _ in range(n - 1):
        out.append(2 * cosine * out[-1] - out[-2])
    return out


def phase_autocorrelation(psi: ArrayLike, phi: ArrayLike, inc: ArrayLike) -> Array:
    """Longitude average of ``V(x) V(x + psi)``: all harmonics at once, ``c_0^2 + 2 sum_n c_n^2 cos(n psi)``.

    Both factors are positive on an arc of half-width ``h = theta - psi/2`` about the middle of the two meridian
    passages, and for a spot seen more than half the time on a second arc through the far side.  On such an arc,
    with ``k = cos(psi/2)``, the integral is ``2 h a0^2 + 4 a0 a1 k sin h + a1^2 (h cos psi + sin h cos h)``.

    Args:
        psi: difference in longitude [rad], broadcast with the others.
        phi: latitude [rad].
        inc: inclination [rad].

    Returns:
        The average, dimensionless.
    """
    a0, a1, theta = projection(phi, inc)
    turns = jnp.asarray(psi) / (2 * jnp.pi)
    half = jnp.pi * (turns - jnp.floor(turns))  # psi/2 in [0, pi)
    s, k = sine_and_cosine(half)
    sin_t, cos_t = jnp.sin(theta), jnp.cos(theta)
    cos_psi = k * k - s * s

    def arc(h: Array, sin_h: Array, cos_h: Array, k: Array) -> Array:
        value = 2 * h * a0**2 + 4 * a0 * a1 * k * sin_h + a1**2 * (h * cos_psi + sin_h * cos_h)
        return jnp.where(h > 0, value, 0.0)

    near = arc(theta - half, sin_t * k - cos_t * s, cos_t * k + sin_t * s, k)
    far = arc(theta + half - jnp.pi, -(sin_t * k + cos_t * s), sin_t * s - cos_t * k, -k)
    return (near + far) / (2 * jnp.pi)


def sine_and_cosine(x: Array) -> tuple[Array, Array]:
    """Sine and cosine on [0, pi] by their series about pi/2, to rounding.

    A kernel is little but millions of these, and on a CPU the compiler vectorises a polynomial, not a library call.
    """
    y = x - jnp.pi / 2
    y2 = y * y
    cosine, sine = jnp.zeros_like(y), jnp.zeros_like(y)
    for n in range(_SERIES_TERMS - 1, -1, -1):
        sign = (-1) ** n
        cosine = cosine * y2 + sign / factorial(2 * n)
        sine = sine * y2 + sign / factorial(2 * n + 1)
    return cosine, -y * sine


def rotation_rate(phi: ArrayLike, peq: ArrayLike, kappa: ArrayLike) -> Array:
    """Angular velocity ``omega_0 = 2 pi (1 - kappa sin^2 phi) / P_eq`` [rad/d] at latitude `phi` [rad]."""
    return jnp.asarray(2 * jnp.pi * (1 - kappa * jnp.sin(phi) ** 2) / peq)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class VisibilityFunction:
    """Small spots on a differentially rotating, inclined star, and the base of other kinds of spots.

    Attributes:
        peq: equatorial rotation period [d], positive.
        kappa: relative shear ``1 - omega(pole)/omega(equator)``.
        inc: inclination [rad].
        closed: whether all harmonics have a closed sum, ``phase_autocorrelation``.
        separable: whether the deficit is the squared radius times a function of place.

    Raises:
        ValueError: the period is a number that is not positive (tracers are not checked).
    """

    peq: Any
    kappa: Any
    inc: Any

    closed: ClassVar[bool] = True
    separable: ClassVar[bool] = True
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"kappa": (-INFINITE, 1.0), "inc": (-INFINITE, INFINITE)}
    param_keys: ClassVar[tuple[str, ...]] = ("peq", "kappa", "inc")

    def __post_init__(self) -> None:
        if isinstance(self.peq, float | int) and not self.peq > 0:
            raise ValueError(f"peq must be positive, got {self.peq} d")
        for key, (low, high) in self.limits.items():
            value = getattr(self, key)
            if isinstance(value, float | int) and not low <= value <= high:
                raise ValueError(f"{key} must be between {low:g} and {high:g}, got {value}")

    @property
    def param_dict(self) -> dict[str, Any]:
        """Parameter names and values."""
        return {key: getattr(self, key) for key in self.param_keys}

    def with_params(self, params: Mapping[str, Any]) -> Self:
        """The same visibility with other parameter values; those left out stay."""
        return replace(self, **params)

    def omega_0(self, phi: ArrayLike) -> Array:
        """Angular velocity [rad/d] at latitude `phi` [rad]."""
        return rotation_rate(phi, self.peq, self.kappa)

    def c_n(self, phi: ArrayLike, n_harm: int = 4) -> Array:
        """Fourier coefficients ``c_0 .. c_n_harm`` at latitude `phi` [rad]; the first axis is the harmonic."""
        return fourier_coefficients(phi, self.inc, n_harm)

    def deficit(self, mu: ArrayLike, radius: ArrayLike) -> Array:
        """Deficit at ``mu`` of a spot of relative `radius`, in units of ``(1 - fspot) alpha_max^2``."""
        return jnp.asarray(radius) ** 2 * jnp.maximum(jnp.asarray(mu), 0.0)

    def get_sympy(self) -> dict[str, Any]:
        """Print the closed forms as LaTeX and return them as SymPy expressions."""
        from spotcat.star import symbolic

        return symbolic.show_visibility(self)

    def __repr__(self) -> str:
        shown = {key: getattr(self, key) for key in self.param_keys}
        if isinstance(shown.get("inc"), float | int):
            shown["inc"] = f"{shown['inc']:.3f}"
        return f"{type(self).__name__}({', '.join(f'{key}={value}' for key, value in shown.items())})"
