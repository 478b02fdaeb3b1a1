"""What envelopes have in common."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from spotcat.star import quadrature
from spotcat.star.parameters import Parameters


class EnvelopeBase(Parameters):
    """An envelope by its radius ``Gamma`` alone; what follows from it comes by quadrature unless overridden."""

    def Gamma(self, t: ArrayLike) -> Array:
        """Relative radius at time `t` [d]."""
        raise NotImplementedError

    def edges(self) -> Array:
        """Sorted times [d] between which ``Gamma`` is smooth, from the beginning of the spot's life to its end."""
        raise NotImplementedError

    def area(self, t: ArrayLike) -> Array:
        """Relative area ``Gamma**2`` at time `t` [d]."""
        return self.Gamma(t) ** 2

    def span(self) -> tuple[Any, Any]:
        """Beginning and end of the spot's life [d]; at most 1e-8 of the peak area is left outside."""
        edges = self.edges()
        return edges[0], edges[-1]

    def kernel_support(self) -> Any:
        """Lag [d] from which the covariance is zero, or below about 1e-8 of that at lag zero."""
        start, end = self.span()
        return end - start

    def lifetime(self) -> Any:
        """Full width at half maximum of the spot's area, ``Gamma**2`` [d], from first to last passage."""
        return quadrature.width_at_half(self.area, *self.span())

    def Gamma_hat(self, omega: ArrayLike) -> Array:
        """Fourier transform of ``Gamma**2`` [d] at angular frequency `omega` [rad/d]."""
        return quadrature.transform(self.area, self.edges(), omega)

    def Gamma_hat_sq(self, omega: ArrayLike) -> Array:
        """Squared modulus of ``Gamma_hat`` [d^2], the Fourier transform of ``R_Gamma``."""
        value = self.Gamma_hat(omega)
        return jnp.real(value) ** 2 + jnp.imag(value) ** 2

    def R_Gamma(self, lag: ArrayLike) -> Array:
        """Autocorrelation of ``Gamma**2`` [d] at `lag` [d]."""
        return quadrature.autocorrelation(self.area, self.edges(), lag)

    def at_zero(self) -> Any:
        """``R_Gamma`` at lag zero [d]."""
        return self.R_Gamma(0.0)

    def get_sympy(self) -> dict[str, Any]:
        """Print the closed forms as LaTeX and return them as SymPy expressions."""
        from spotcat.star import symbolic

        return symbolic.show_envelope(self)
