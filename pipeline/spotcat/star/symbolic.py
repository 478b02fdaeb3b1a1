"""Closed forms as SymPy expressions: the same equations as the array code, for reading and for printing.

A test evaluates every expression against its array function.  SymPy is imported on use.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from spotcat.star.symbolic_envelopes import envelope_forms

if TYPE_CHECKING:
    from spotcat.star.evolution import SpotEvolutionModel
    from spotcat.star.laws import LatitudeLaw
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
    return _show(type(envelope).__name__, envelope_forms(envelope), {})


def edge_on_forms() -> dict[str, Any]:
    """Rotation and Fourier coefficients of a small spot on a rigid star seen edge-on; ``c_n`` for even n."""
    import sympy as sp

    phi, peq = sp.Symbol(r"\phi", real=True), sp.Symbol(r"P_{\rm eq}", positive=True)
    n = sp.symbols("n", integer=True, positive=True)
    return {
        r"\omega_0": 2 * sp.pi / peq,
        "c_0": sp.cos(phi) / sp.pi,
        "c_1": sp.cos(phi) / 4,
        "c_n": -sp.cos(phi) * sp.cos(n * sp.pi / 2) / (sp.pi * (n**2 - 1)),
    }


def limb_forms(faculae: bool) -> dict[str, Any]:
    """Rotation law, projection, deficit and Fourier coefficients of a small spot on a darkened disk.

    Args:
        faculae: whether the deficit has the factor ``1 - q (1 - mu)``.
    """
    import sympy as sp

    shared = visibility_forms()
    mu, u1, u2, q, x = sp.symbols(r"\mu u_1 u_2 q x", real=True)
    a0, a1, theta = sp.symbols(r"a_0 a_1 \theta_v", real=True)
    n = sp.symbols("n", integer=True, nonnegative=True)
    deficit = mu * (1 - u1 * (1 - mu) - u2 * (1 - mu) ** 2) / (1 - u1 / 3 - u2 / 6)
    if faculae:
        deficit *= 1 - q * (1 - mu)
    seen = deficit.subs(mu, a0 + a1 * sp.cos(x)) * sp.cos(n * x)
    geometry = {key: shared[key] for key in (r"\omega_0(\phi)", "a_0", "a_1", r"\theta_v")}
    return {**geometry, r"V(\mu)": deficit, "c_n": sp.Integral(seen, (x, 0, theta)) / sp.pi}


def latitude_forms(law: Any) -> dict[str, Any]:
    """Density in latitude; None where it is the user's own."""
    import sympy as sp

    phi = sp.Symbol(r"\phi", real=True)
    low, high = sp.symbols(r"\phi_{\min} \phi_{\max}", positive=True)
    mean, sigma = sp.symbols(r"\phi_0 \sigma_\phi", positive=True)
    inside = sp.And(sp.Abs(phi) >= low, sp.Abs(phi) <= high)
    bell = sp.exp(-((sp.Abs(phi) - mean) ** 2) / (2 * sigma**2)) / (sigma * sp.sqrt(2 * sp.pi))
    mass = (sp.erf((sp.pi / 2 - mean) / (sigma * sp.sqrt(2))) + sp.erf(mean / (sigma * sp.sqrt(2)))) / 2
    known = {
        "UniformLatitude": 1 / sp.pi,
        "UniformAreaLatitude": sp.cos(phi) / 2,
        "HemisphericBands": sp.Piecewise((1 / (2 * (high - low)), inside), (0, True)),
        "GaussianBelts": bell / (2 * mass),
    }
    return {r"p(\phi)": known.get(type(law).__name__)}


def show_visibility(visibility: VisibilityFunction) -> dict[str, Any]:
    """Print and return the visibility's closed forms; None where there is none."""
    kind = type(visibility).__name__
    match kind:
        case "VisibilityFunction":
            forms = visibility_forms()
        case "EdgeOnVisibility":
            forms = edge_on_forms()
        case "LimbDarkenedVisibility" | "FacularVisibility":
            forms = limb_forms(kind == "FacularVisibility")
        case _:
            forms = {**visibility_forms(), "c_0": None, "c_1": None, "c_n": None}
    remarks = {"VisibilityFunction": r" $(n \geq 2)$", "EdgeOnVisibility": r" $(n = 2, 4, \ldots)$"}
    return _show(kind, forms, {"c_n": remarks.get(kind, "")})


def show_latitude(law: LatitudeLaw) -> dict[str, Any]:
    """Print and return the density of a law of latitude."""
    return _show(type(law).__name__, latitude_forms(law), {})


def show_model(model: SpotEvolutionModel) -> dict[str, Any]:
    """Print and return the closed forms of all parts of a spot model."""
    print("SpotEvolutionModel")
    print(f"  envelope  : {type(model.envelope).__name__}")
    print(f"  visibility: {type(model.visibility).__name__}")
    print()
    forms = dict(show_envelope(model.envelope))
    print()
    forms |= show_visibility(model.visibility)
    if type(model.latitude).__name__ != "UniformLatitude":
        print()
        forms |= show_latitude(model.latitude)
    return forms


def _show(title: str, forms: dict[str, Any], remarks: dict[str, str]) -> dict[str, Any]:
    import sympy as sp

    print(title)
    for name, expression in forms.items():
        text = r"\text{[numerical]}" if expression is None else sp.latex(expression)
        print(f"  ${name} = {text}${remarks.get(name, '')}")
    return dict(forms)
