"""Every envelope's closed forms against brute quadrature of its radius, over its whole range, and their gradients."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

from spotcat import (
    CustomEnvelope,
    DoubleTrapezoidAsymmetricEnvelope,
    DoubleTrapezoidEnvelope,
    ExponentialAsymmetricEnvelope,
    ExponentialEnvelope,
    ExponentialOneSidedEnvelope,
    ExponentialPlateauEnvelope,
    LogisticPlateauEnvelope,
    ModulatedGammaEnvelope,
    SkewedGaussianEnvelope,
    TrapezoidAsymmetricEnvelope,
    TrapezoidSymmetricEnvelope,
    TripleTrapezoidEnvelope,
)
from spotcat.star.envelope import Envelope
from spotcat.star.symbolic_envelopes import LATEX

EXTREMES = [
    TrapezoidSymmetricEnvelope(15.0, 5.0),
    TrapezoidAsymmetricEnvelope(15.0, 2.0, 9.0),
    TrapezoidAsymmetricEnvelope(0.0, 0.1, 50.0),
    TrapezoidAsymmetricEnvelope(100.0, 0.1, 0.2),
    DoubleTrapezoidEnvelope(3.0, 2.0, 0.0),
    DoubleTrapezoidAsymmetricEnvelope(3.0, 2.0, 10.0, 0.5, 4.0),
    TripleTrapezoidEnvelope(3.0, 2.0, 10.0, 0.5, 0.0, 3.0, 4.0, 1.0),
    ExponentialEnvelope(5.0),
    ExponentialAsymmetricEnvelope(1.0, 7.0),
    ExponentialAsymmetricEnvelope(7.0, 7.0 + 1e-7),
    ExponentialPlateauEnvelope(10.0, 1.0, 5.0),
    ExponentialPlateauEnvelope(0.0, 20.0, 0.1),
    ExponentialOneSidedEnvelope(4.0),
    SkewedGaussianEnvelope(5.0, 0.0),
    SkewedGaussianEnvelope(5.0, 3.0),
    SkewedGaussianEnvelope(1.0, -20.0),
    LogisticPlateauEnvelope(0.0, 3.0),
    LogisticPlateauEnvelope(5.9, 3.0),
    LogisticPlateauEnvelope(6.1, 3.0),
    LogisticPlateauEnvelope(100.0, 0.1),
    ModulatedGammaEnvelope(2.0, 3.0),
    ModulatedGammaEnvelope(0.3, 3.0, 0.5, 2.0),
    ModulatedGammaEnvelope(10.0, 1.0, -0.7, 7.0),
]


def cosine(t: jax.Array, width: jax.Array, power: jax.Array) -> jax.Array:
    return jnp.cos(jnp.pi * t / (2 * width)) ** power


def triangle(t: jax.Array, up: jax.Array, down: jax.Array) -> jax.Array:
    return jnp.where(t < 0, 1 + t / up, 1 - t / down)


CUSTOM = [
    CustomEnvelope(cosine, lambda width, **_: (-width, width), {"width": 10.0, "power": 2.0}),
    CustomEnvelope(triangle, lambda up, down: (-up, 0.0, down), {"up": 2.0, "down": 9.0}),
]
CASES = [pytest.param(e, id=f"{type(e).__name__}-{i}") for i, e in enumerate(EXTREMES + CUSTOM)]
LAST_OF_EACH = {type(e): e for e in EXTREMES}
ONE_OF_A_KIND = [
    pytest.param(LAST_OF_EACH[kind], id=kind.__name__)
    for kind in (
        TripleTrapezoidEnvelope,
        ExponentialPlateauEnvelope,
        SkewedGaussianEnvelope,
        LogisticPlateauEnvelope,
        ModulatedGammaEnvelope,
    )
] + CASES[-1:]
"""One of those that share their code."""

radius = jax.jit(lambda envelope, t: envelope.Gamma(t))
autocorrelation = jax.jit(lambda envelope, lag: envelope.R_Gamma(lag))
transform = jax.jit(lambda envelope, omega: (envelope.Gamma_hat(omega), envelope.Gamma_hat_sq(omega)))

X, W = np.polynomial.legendre.leggauss(40)


def fine_rule(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forty Gauss points in each third of every interval."""
    parts = np.concatenate([np.linspace(a, b, 4) for a, b in pairwise(edges)])
    half = np.diff(parts)[:, None] / 2
    return ((parts[1:] + parts[:-1])[:, None] / 2 + half * X).ravel(), (half * W).ravel()


def beyond(edges: np.ndarray) -> np.ndarray:
    """Times far before and after a life too: what an infinite one has there counts."""
    length = edges[-1] - edges[0]
    return np.concatenate([[edges[0] - length / 2], edges, [edges[-1] + length / 2]])


@pytest.mark.parametrize("envelope", CASES)
def test_autocorrelation_and_transform_equal_brute_quadrature(envelope: Envelope) -> None:
    edges = np.asarray(envelope.edges())
    lags = np.concatenate([np.linspace(0, 1, 7), [-0.01]]) * float(envelope.kernel_support())
    want = []
    for lag in lags:
        t, w = fine_rule(np.sort(np.concatenate([beyond(edges), edges - lag])))
        want.append(np.sum(w * np.asarray(radius(envelope, t)) ** 2 * np.asarray(radius(envelope, t + lag)) ** 2))
    np.testing.assert_allclose(autocorrelation(envelope, lags), want, atol=1e-8 * want[0])

    omega = np.concatenate([[0.0, 1e-9, 1e-4], np.linspace(0.05, 3, 7)])
    t, w = fine_rule(beyond(edges))
    want = np.exp(-1j * omega[:, None] * t) @ (w * np.asarray(radius(envelope, t)) ** 2)
    got, squared = transform(envelope, omega)
    np.testing.assert_allclose(got, want, atol=1e-8 * abs(want[0]))
    np.testing.assert_allclose(squared, abs(want) ** 2, atol=2e-8 * abs(want[0]) ** 2)


@pytest.mark.parametrize("envelope", CASES)
def test_peak_life_support_and_lifetime(envelope: Envelope) -> None:
    start, end = (float(t) for t in envelope.span())
    t = np.linspace(start, end, 20_001)
    area = np.asarray(radius(envelope, t)) ** 2
    assert area.max() == pytest.approx(1, abs=1e-3)
    assert area.max() <= 1 + 1e-12
    outside = np.array([start - 1e-6, end + 1e-6])
    assert np.all(np.asarray(radius(envelope, outside)) ** 2 < 2e-8)
    support = float(envelope.kernel_support())
    assert 0 < support <= 2.5 * (end - start)
    at_zero, before, at_end = autocorrelation(envelope, np.array([0.0, 0.5, 1.0]) * support)
    assert at_end < 5e-8 * at_zero
    assert before > 1e-8 * at_zero  # tight
    above = t[area >= 0.5]
    assert float(jax.jit(lambda e: e.lifetime())(envelope)) == pytest.approx(
        above[-1] - above[0], abs=3 * (t[1] - t[0])
    )


@pytest.mark.parametrize("envelope", ONE_OF_A_KIND)
def test_gradients_equal_finite_differences(envelope: Envelope) -> None:
    names = list(envelope.param_dict)
    theta = np.array([float(v) for v in envelope.param_dict.values()])
    lags = jnp.asarray(np.array([0.0, 0.13, 0.31, 0.57, 0.83]) * float(envelope.kernel_support()))

    @jax.jit
    def values(p: jax.Array) -> jax.Array:
        e = envelope.with_params(dict(zip(names, p, strict=True)))
        parts = (e.R_Gamma(lags), e.lifetime())
        return jnp.concatenate([jnp.atleast_1d(part) for part in parts])

    slope = np.asarray(jax.jit(jax.jacfwd(values))(theta))
    assert np.isfinite(slope).all()
    size = np.abs(np.asarray(values(theta))) + np.asarray(values(theta))[0] * (np.arange(len(slope)) < len(lags))
    for j, value in enumerate(theta):
        step = np.zeros(len(theta))
        step[j] = 1e-4 * max(abs(value), 0.1)
        if value == 0 and envelope.limits.get(names[j], (0,))[0] == 0:
            continue  # at the end of its range only one side exists
        near, far = ((values(theta + k * step) - values(theta - k * step)) / (2 * k) for k in (1, 2))
        difference = np.asarray(4 * near - far) / 3
        np.testing.assert_allclose(slope[:, j] * step[j] * 1e4, difference * 1e4, atol=1e-5 * size.max(), rtol=1e-5)


@pytest.mark.parametrize("envelope", ONE_OF_A_KIND[::3])
def test_envelopes_are_pytrees_that_jit_and_vmap(envelope: Envelope) -> None:
    two = jax.tree.map(lambda v: jnp.array([v, 1.1 * v]), envelope)
    lag = jnp.linspace(0.0, 9.0, 4)
    both = jax.jit(jax.vmap(lambda e: e.R_Gamma(lag)))(two)
    for i in range(2):
        one = jax.tree.map(lambda v, i=i: v[i], two)
        np.testing.assert_allclose(both[i], autocorrelation(one, lag), rtol=1e-10, atol=1e-12)


def test_the_general_trapezoid_equals_the_symmetric_ones_own_forms() -> None:
    for lspot, tau in [(15.0, 5.0), (0.0, 5.0), (100.0, 0.1)]:
        own, general = TrapezoidSymmetricEnvelope(lspot, tau), TrapezoidAsymmetricEnvelope(lspot, tau, tau)
        x = np.linspace(0, 1.1, 50) * (lspot + 2 * tau)
        size = lspot + tau
        np.testing.assert_allclose(autocorrelation(general, x), autocorrelation(own, x), atol=1e-13 * size)
        np.testing.assert_allclose(transform(general, x)[0], transform(own, x)[0], atol=1e-12 * size)
        np.testing.assert_allclose(radius(general, x - lspot), radius(own, x - lspot), atol=1e-12)
        assert float(general.lifetime()) == pytest.approx(own.lifetime())


def test_a_pair_of_trapezoids_correlates_again_after_the_gap() -> None:
    one, pair = TrapezoidSymmetricEnvelope(3.0, 2.0), DoubleTrapezoidEnvelope(3.0, 2.0, 6.0)
    lag = np.linspace(0, 25, 40)
    apart = 3.0 + 2 * 2.0 + 6.0
    back, same, forth = (autocorrelation(one, lag + shift) for shift in (-apart, 0.0, apart))
    np.testing.assert_allclose(autocorrelation(pair, lag), back + 2 * same + forth, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (TrapezoidAsymmetricEnvelope, (-1.0, 1.0, 1.0)),
        (ExponentialPlateauEnvelope, (1.0, 0.0, 1.0)),
        (ModulatedGammaEnvelope, (1.0, 1.0, 1.5, 1.0)),
        (SkewedGaussianEnvelope, (float("nan"), 1.0)),
    ],
)
def test_numbers_out_of_range_are_refused(kind: type, values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must"):
        kind(*values)


def peak_symbol(envelope: Envelope) -> float:
    """``g_max`` of the symbolic forms: what the raw shape is at its highest."""
    start, end = (float(t) for t in envelope.span())
    t = np.linspace(max(start, 1e-9), end, 40_001) if isinstance(envelope, ModulatedGammaEnvelope) else None
    if t is not None:
        p = envelope
        x = t / p.tau_spot
        return float((x**p.alpha_env * np.exp(-x) * (1 + p.a_mod * np.cos(p.omega_mod * t))).max())
    t = np.linspace(start, end, 40_001) / envelope.param_dict.get("sigma_sn", 1.0)
    return float((np.exp(-(t**2) / 2) * 2 * ndtr(envelope.param_dict.get("n_sn", 0.0) * t)).max())


SYMBOLIC = [e for e in {type(e): e for e in EXTREMES[:-1]}.values() if not isinstance(e, TrapezoidSymmetricEnvelope)]


@pytest.mark.parametrize("envelope", [pytest.param(e, id=type(e).__name__) for e in SYMBOLIC])
def test_symbolic_forms_equal_the_array_code(envelope: Envelope, capsys: pytest.CaptureFixture[str]) -> None:
    import mpmath
    import sympy as sp

    forms = envelope.get_sympy()
    assert capsys.readouterr().out.startswith(f"{type(envelope).__name__}\n  $\\Gamma(t) = ")
    values = {LATEX[name]: value for name, value in envelope.param_dict.items()} | {r"g_{\max}": peak_symbol(envelope)}
    support = float(envelope.kernel_support())
    inside = float(envelope.span()[0]) + np.array([0.07, 0.3, 0.45, 0.6, 0.8]) * support
    grids = (inside, np.array([0.3, 1.1]), np.array([0.013, 0.21, 0.46, 0.77]) * support)
    grids = tuple(np.concatenate([grid, [0.0]]) for grid in grids)
    arrays = (radius(envelope, grids[0]), transform(envelope, grids[1])[0], autocorrelation(envelope, grids[2]))
    for (name, form), grid, (*want, at_zero) in zip(forms.items(), grids, map(np.asarray, arrays), strict=True):
        if form is None:
            assert isinstance(envelope, ModulatedGammaEnvelope)
            continue
        (variable,) = [s for s in form.free_symbols if s.name not in values]
        numbers = {s: values[s.name] for s in form.free_symbols if s.name in values}
        evaluate = sp.lambdify([variable, *numbers], form, "mpmath")
        with mpmath.workdps(40):
            got = [complex(evaluate(*map(mpmath.mpf, (x, *numbers.values())))) for x in grid[:-1]]
        np.testing.assert_allclose(want, got, atol=1e-8 * max(abs(at_zero), 1.0), err_msg=name)


def test_an_own_envelope_has_no_symbolic_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(CUSTOM[0].get_sympy().values()) == {None}
    assert capsys.readouterr().out.count("[numerical]") == 3
