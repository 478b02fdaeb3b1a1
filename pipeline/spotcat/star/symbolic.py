"""Closed forms as SymPy expressions: the same equations as the array code, for reading and for printing.

A test evaluates every expression against its array function.  SymPy is imported on use.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from spotcat.star.symbolic_envelopes import envelope_forms

if TYPE_CHECKING:
    from spotcat.star.evolution import SpotEvolutionModel
    from spotcat.star.visibility import VisibilityFunction


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


def show_envelope(envelope: Any) -> dict[str, Any]:
    """Print and return the envelope's closed forms; None where there is none."""
    return _show(type(envelope).__name__, envelope_forms(envelope))


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
        text = r"\text{[numerical]}" if expression is None else sp.latex(expression)
        print(f"  ${name} = {text}${remark}")
    return dict(forms)
