"""Closed forms of the envelopes as SymPy expressions; without one, None.

A test evaluates every expression against its array function.  SymPy is imported on use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

GAMMA, GAMMA_HAT, R_GAMMA = r"\Gamma(t)", r"\hat{\Gamma}(\omega)", r"R_{\Gamma}(\tau)"

LATEX = {
    "lspot": r"\ell",
    "tau_spot": r"\tau_{\rm spot}",
    "tau_em": r"\tau_{\rm em}",
    "tau_dec": r"\tau_{\rm dec}",
    "t_gap": r"t_{\rm gap}",
    "sigma_sn": r"\sigma",
    "n_sn": "n",
    "alpha_env": r"\alpha",
    "a_mod": "a",
    "omega_mod": r"\omega_{\rm mod}",
    **{f"lspot{i}": rf"\ell_{i}" for i in (1, 2, 3)},
    **{f"tau_spot{i}": rf"\tau_{i}" for i in (1, 2, 3)},
    **{f"t_gap{i}": rf"t_{{{i}}}" for i in (12, 23)},
}
"""Symbol of each parameter."""


def parameter(name: str) -> Any:
    """The SymPy symbol of a parameter: positive, or real where it may be negative."""
    import sympy as sp

    signed = {"real": True} if name in ("n_sn", "a_mod") else {"positive": True}
    return sp.Symbol(LATEX.get(name, name), **signed)


def _variables() -> tuple[Any, Any, Any]:
    import sympy as sp

    t, w, lag = sp.symbols(r"t \omega \tau", real=True)
    return t, w, lag


def envelope_forms(envelope: Any) -> dict[str, Any]:
    """``Gamma(t)``, ``Gamma_hat(omega)`` and ``R_Gamma(tau)`` of an envelope, by LaTeX name."""
    make = _FORMS.get(type(envelope).__name__)
    return dict.fromkeys((GAMMA, GAMMA_HAT, R_GAMMA)) if make is None else make(*map(parameter, envelope.param_dict))


def trapezoid_forms(ell: Any = None, tau: Any = None) -> dict[str, Any]:
    """``Gamma(t)``, ``Gamma_hat(omega)`` and ``R_Gamma(tau)`` of the symmetric trapezoid.

    Returns:
        Expressions in the symbols t [d], omega [rad/d], tau [d], ell [d] and tau_spot [d].
    """
    import sympy as sp

    ell, tau = (parameter(name) if given is None else given for name, given in (("lspot", ell), ("tau_spot", tau)))
    t, w, lag = _variables()
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
    return {GAMMA: gamma, GAMMA_HAT: gamma_hat, R_GAMMA: r_gamma}


def _sequence(start: Any, shapes: Sequence[tuple[Any, Any, Any]], gaps: Sequence[Any]) -> dict[str, Any]:
    """Trapezoids (rise, plateau, decay) one after the other.

    With ``c_1`` and ``c_2`` the jumps of slope and curvature of the area at the kinks ``x``, the transform is
    ``sum (c_1 i w + c_2) exp(-i w x) / (i w)^3``, and the autocorrelation a sum of powers of ``x_j - x_i - |tau|``.
    """
    import sympy as sp

    t, w, lag = _variables()
    cases, kinks, before = [(0, t < start)], [], start
    for (rise, plateau, decay), gap in zip(shapes, [*gaps, 0], strict=True):
        top, fall = before + rise, before + rise + plateau
        end = fall + decay
        cases += [((t - before) / rise, t < top), (1, t < fall), ((end - t) / decay, t < end), (0, t < end + gap)]
        kinks += [
            (before, 0, 2 / rise**2),
            (top, -2 / rise, -2 / rise**2),
            (fall, -2 / decay, 2 / decay**2),
            (end, 0, -2 / decay**2),
        ]
        before = end + gap
    gamma_hat = sum((c1 * sp.I * w + c2) * sp.exp(-sp.I * w * x) for x, c1, c2 in kinks) / (sp.I * w) ** 3
    r_gamma = sp.S.Zero
    for i, (x, c1, c2) in enumerate(kinks):
        for y, d1, d2 in kinks[i + 1 :]:
            p = sp.Max(sp.expand(y - x) - sp.Abs(lag), 0, evaluate=False)
            r_gamma += c1 * d1 * p**3 / 6 + (c2 * d1 - c1 * d2) * p**4 / 24 - c2 * d2 * p**5 / 120
    return {GAMMA: sp.Piecewise(*cases[:-1], (0, True)), GAMMA_HAT: gamma_hat, R_GAMMA: r_gamma}


def _asymmetric(ell: Any, rise: Any, decay: Any) -> dict[str, Any]:
    return _sequence(-ell / 2 - rise, [(rise, ell, decay)], [])


def _double(ell: Any, tau: Any, gap: Any) -> dict[str, Any]:
    return _sequence(-gap / 2 - ell - 2 * tau, [(tau, ell, tau)] * 2, [gap])


def _double_asymmetric(ell1: Any, tau1: Any, ell2: Any, tau2: Any, gap: Any) -> dict[str, Any]:
    return _sequence(-gap / 2 - ell1 - 2 * tau1, [(tau1, ell1, tau1), (tau2, ell2, tau2)], [gap])


def _triple(*p: Any) -> dict[str, Any]:
    shapes = [(p[i + 1], p[i], p[i + 1]) for i in (0, 2, 4)]
    return _sequence(-p[6] - p[0] - 2 * p[1], shapes, [p[6], p[7]])


def _exponential_plateau(ell: Any, rise: Any, decay: Any) -> dict[str, Any]:
    import sympy as sp

    t, w, lag = _variables()
    a, b, late = 2 / rise, 2 / decay, sp.Max(sp.Abs(lag) - ell, 0)
    gamma = sp.exp(-sp.Max(-t - ell / 2, 0) / rise - sp.Max(t - ell / 2, 0) / decay)
    up, down = sp.exp(sp.I * w * ell / 2), sp.exp(-sp.I * w * ell / 2)
    # Equal rates are the limit of unequal ones.
    cross = late * sp.exp(-a * late) if a == b else (sp.exp(-b * late) - sp.exp(-a * late)) / (a - b)
    ramps = sum((sp.exp(-r * late) - sp.exp(-r * sp.Abs(lag)) / 2) / r for r in (a, b))
    plateau = 2 * sp.sin(w * ell / 2) / w
    return {
        GAMMA: gamma,
        GAMMA_HAT: up / (a - sp.I * w) + plateau + down / (b + sp.I * w),
        R_GAMMA: sp.Max(ell - sp.Abs(lag), 0) + ramps + cross,
    }


def _exponential(tau: Any) -> dict[str, Any]:
    import sympy as sp

    w = _variables()[1]
    return _exponential_plateau(sp.S.Zero, tau, tau) | {GAMMA_HAT: tau / (1 + (w * tau / 2) ** 2)}


def _exponential_asymmetric(rise: Any, decay: Any) -> dict[str, Any]:
    import sympy as sp

    return _exponential_plateau(sp.S.Zero, rise, decay)


def _exponential_one_sided(tau: Any) -> dict[str, Any]:
    import sympy as sp

    t, w, lag = _variables()
    return {
        GAMMA: sp.Piecewise((0, t < 0), (sp.exp(-t / tau), True)),
        GAMMA_HAT: 1 / (2 / tau + sp.I * w),
        R_GAMMA: tau / 4 * sp.exp(-2 * sp.Abs(lag) / tau),
    }


def _skewed(sigma: Any, n: Any) -> dict[str, Any]:
    """The peak ``g_max`` of the area before scaling has no closed form: it stays a symbol."""
    import sympy as sp

    t, w, lag = _variables()
    peak, x = sp.Symbol(r"g_{\max}", positive=True), sp.Symbol("x", real=True)
    area = sp.exp(-(t**2) / (2 * sigma**2)) * (1 + sp.erf(n * t / (sigma * sp.sqrt(2)))) / peak
    skew = sp.erfi(w * sigma * n / sp.sqrt(2 * (1 + n**2)))
    k = n * lag / (sigma * sp.sqrt(4 + 2 * n**2))
    owen = sp.Integral(sp.exp(-(k**2) / (1 - sp.sin(x))), (x, 0, sp.asin(n**2 / (2 + n**2)))) / (2 * sp.pi)
    both = (1 - sp.erf(k / sp.sqrt(2)) ** 2) / 4 + owen
    return {
        GAMMA: sp.sqrt(area),
        GAMMA_HAT: sigma * sp.sqrt(2 * sp.pi) / peak * sp.exp(-((w * sigma) ** 2) / 2) * (1 - sp.I * skew),
        R_GAMMA: 4 * sp.sqrt(sp.pi) * sigma / peak**2 * sp.exp(-((lag / sigma) ** 2) / 4) * both,
    }


def _logistic(ell: Any, tau: Any) -> dict[str, Any]:
    import sympy as sp

    t, w, lag = _variables()
    h, r, y = ell / (2 * tau), lag / tau, sp.Symbol("y", real=True)
    moments = [y / 2 * sp.coth(y / 2)]
    moments += [sp.diff(moments[0], y), sp.diff(moments[0], y, 2)]

    def at(order: int, x: Any) -> Any:
        return moments[order].subs(y, x)

    bracket = sp.coth(h) ** 2 * (at(0, r + 2 * h) - 2 * at(0, r) + at(0, r - 2 * h))
    bracket -= 2 * sp.coth(h) * (at(1, 2 * h + r) + at(1, 2 * h - r))
    bracket += at(2, r + 2 * h) + 2 * at(2, r) + at(2, r - 2 * h)
    waves = sp.coth(h) * sp.sin(h * w * tau) / (w * tau) - sp.cos(h * w * tau)
    return {
        GAMMA: (1 + sp.cosh(h)) / (sp.cosh(t / tau) + sp.cosh(h)),
        GAMMA_HAT: 2 * tau * sp.coth(h / 2) ** 2 * sp.pi * w * tau / sp.sinh(sp.pi * w * tau) * waves,
        R_GAMMA: tau * sp.coth(h / 2) ** 4 * bracket,
    }


def _modulated_gamma(alpha: Any, tau: Any, a: Any, omega: Any) -> dict[str, Any]:
    """The peak ``g_max`` of the radius before scaling stays a symbol; the autocorrelation has no elementary form."""
    import sympy as sp

    t, w, _ = _variables()
    peak = sp.Symbol(r"g_{\max}", positive=True)
    gamma = (t / tau) ** alpha * sp.exp(-t / tau) * (1 + a * sp.cos(omega * t)) / peak
    lines = {0: 1 + a**2 / 2, 1: a, -1: a, 2: a**2 / 4, -2: a**2 / 4}
    order = 2 * alpha + 1
    waves = sum(c / (2 / tau + sp.I * (w - k * omega)) ** order for k, c in lines.items())
    return {
        GAMMA: sp.Piecewise((0, t <= 0), (gamma, True)),
        GAMMA_HAT: sp.gamma(order) / tau ** (2 * alpha) / peak**2 * waves,
        R_GAMMA: None,
    }


_FORMS: dict[str, Callable[..., dict[str, Any]]] = {
    "TrapezoidSymmetricEnvelope": trapezoid_forms,
    "TrapezoidAsymmetricEnvelope": _asymmetric,
    "DoubleTrapezoidEnvelope": _double,
    "DoubleTrapezoidAsymmetricEnvelope": _double_asymmetric,
    "TripleTrapezoidEnvelope": _triple,
    "ExponentialEnvelope": _exponential,
    "ExponentialAsymmetricEnvelope": _exponential_asymmetric,
    "ExponentialOneSidedEnvelope": _exponential_one_sided,
    "ExponentialPlateauEnvelope": _exponential_plateau,
    "SkewedGaussianEnvelope": _skewed,
    "LogisticPlateauEnvelope": _logistic,
    "ModulatedGammaEnvelope": _modulated_gamma,
}
