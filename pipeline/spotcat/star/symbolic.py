"""Closed forms as SymPy expressions: the same equations as the array code, for reading and for printing.

A test evaluates every expression against its array function.  SymPy is imported on use.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spotcat.star.envelope import TrapezoidSymmetricEnvelope
    from spotcat.star.evolution import SpotEvolutionModel
    from spotcat.star.visibility import VisibilityFunction


@cache
def trapezoid_forms() -> dict[str, Any]:
    """``Gamma(t)``, ``Gamma_hat(omega)`` and ``R_Gamma(tau)`` of the symmetric trapezoid.

    Returns:
        Expressions in the symbols t [d], omega [rad/d], tau [d], ell [d] and tau_spot [d].
    """
    import sympy as sp

    t, w, lag = sp.symbols(r"t \omega \tau", real=True)
    ell, tau = sp.Symbol(r"\ell", positive=True), sp.Symbol(r"\tau_{\rm spot}", positive=True)
    gamma = sp.Piecewise(
        (0, t < -ell / 2 - tau),
        ((ell / 2 + tau + t) / tau, t < -ell / 2),
        (1, t <= ell / 2),
        ((ell / 2 + tau - t) / tau, t < ell / 2 + tau),
        (0, True),
    )
    gamma_hat = sp.factor_terms(
        4 * (w * tau * sp.cos(ell * w / 2) + sp.sin(ell * w / 2) - sp.sin(ell * w / 2 + w * tau)) / (w**3 * tau**2)
    )
    # Gamma^2 is piecewise quadratic.  With its jumps of slope c1 and curvature c2 at the four kinks x, its
    # autocorrelation is a sum of truncated powers of -(x_i + x_j) - |tau|; those with x_i + x_j >= 0 vanish.
    kinks = (-ell / 2 - tau, -ell / 2, ell / 2, ell / 2 + tau)
    c1 = (0, -2 / tau, -2 / tau, 0)
    c2 = (2 / tau**2, -2 / tau**2, 2 / tau**2, -2 / tau**2)
    r_gamma = sp.S.Zero
    for i, j in ((0, 0), (0, 1), (1, 1), (0, 2)):
        p = sp.Max(-(kinks[i] + kinks[j]) - sp.Abs(lag), 0)
        term = c2[i] * c2[j] * p**5 / 120 + (c1[i] * c2[j] + c1[j] * c2[i]) * p**4 / 24 + c1[i] * c1[j] * p**3 / 6
        r_gamma += term if i == j else 2 * term
    return {r"\Gamma(t)": gamma, r"\hat{\Gamma}(\omega)": gamma_hat, r"R_{\Gamma}(\tau)": r_gamma}


@cache
def visibility_forms() -> dict[str, Any]:
    """Rotation law, projection and Fourier coefficients of a small spot.

    Returns:
        Expressions in the symbols phi, i, kappa, P_eq, n, and in a_0, a_1, theta_v for the coefficients.
    """
    import sympy as sp

    phi, inc, kappa = sp.symbols(r"\phi i \kappa", real=True)
    peq = sp.Symbol(r"P_{\rm eq}", positive=True)
    a0, a1, theta = sp.symbols(r"a_0 a_1 \theta_v", real=True)
    n = sp.symbols("n", integer=True, positive=True)
    waves = sp.sin((n - 1) * theta) / (n - 1) + sp.sin((n + 1) * theta) / (n + 1)
    return {
        r"\omega_0(\phi)": 2 * sp.pi * (1 - kappa * sp.sin(phi) ** 2) / peq,
        "a_0": sp.cos(inc) * sp.sin(phi),
        "a_1": sp.sin(inc) * sp.cos(phi),
        r"\theta_v": sp.acos(-a0 / a1),
        "c_0": (theta * a0 + a1 * sp.sin(theta)) / sp.pi,
        "c_1": (a0 * sp.sin(theta) + a1 * (theta + sp.sin(theta) * sp.cos(theta)) / 2) / sp.pi,
        "c_n": (a0 * sp.sin(n * theta) / n + a1 * waves / 2) / sp.pi,
    }


def show_envelope(envelope: TrapezoidSymmetricEnvelope) -> dict[str, Any]:
    """Print and return the envelope's closed forms."""
    return _show(type(envelope).__name__, trapezoid_forms())


def show_visibility(visibility: VisibilityFunction) -> dict[str, Any]:
    """Print and return the visibility's closed forms."""
    return _show(type(visibility).__name__, visibility_forms())


def show_model(model: SpotEvolutionModel) -> dict[str, Any]:
    """Print and return the closed forms of both parts of a spot model."""
    print("SpotEvolutionModel")
    print(f"  envelope  : {type(model.envelope).__name__}")
    print(f"  visibility: {type(model.visibility).__name__}")
    print()
    forms = dict(model.envelope.get_sympy())  # type: ignore[attr-defined]
    print()
    return forms | model.visibility.get_sympy()


def _show(title: str, forms: dict[str, Any]) -> dict[str, Any]:
    import sympy as sp

    print(title)
    for name, expression in forms.items():
        remark = r" $(n \geq 2)$" if name == "c_n" else ""
        print(f"  ${name} = {sp.latex(expression)}${remark}")
    return dict(forms)
