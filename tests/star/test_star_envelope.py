"""The trapezoid's closed forms against quadrature, over its whole parameter range."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from spotcat import TrapezoidSymmetricEnvelope
from spotcat.star.envelope import trapezoid, trapezoid_autocorrelation, trapezoid_transform
from spotcat.star.symbolic_envelopes import trapezoid_forms

SHAPES = [(15.0, 5.0), (0.0, 5.0), (2.0, 9.0), (1e-3, 50.0), (100.0, 0.1), (5.0, 5.0)]


def integral(function, lspot: float, tau: float, shift: float = 0.0) -> float:
    """Quadrature between the kinks of the trapezoid and of its shifted copy."""
    kinks = np.array([-lspot / 2 - tau, -lspot / 2, lspot / 2, lspot / 2 + tau])
    edges = np.unique(np.concatenate([kinks, kinks - shift]))
    return sum(quad(function, a, b, epsabs=1e-13, epsrel=1e-12, limit=500)[0] for a, b in pairwise(edges))


def area(t: float, lspot: float, tau: float) -> float:
    """Gamma squared, written out again in plain Python."""
    return max(0.0, min(1.0, (lspot / 2 + tau - abs(t)) / tau)) ** 2


@pytest.mark.parametrize(("lspot", "tau"), SHAPES)
def test_autocorrelation_equals_quadrature(lspot: float, tau: float) -> None:
    support = lspot + 2 * tau
    lags = np.concatenate([np.linspace(0, support, 23), [tau, lspot, lspot + tau, 1.01 * support, 5 * support]])
    want = [integral(lambda t, s=s: area(t, lspot, tau) * area(t + s, lspot, tau), lspot, tau, s) for s in lags]
    got = trapezoid_autocorrelation(lags, lspot, tau)
    np.testing.assert_allclose(got, want, atol=1e-10 * want[0])
    assert np.all(np.asarray(got)[lags >= support] == 0)


@pytest.mark.parametrize(("lspot", "tau"), SHAPES)
def test_transform_equals_quadrature(lspot: float, tau: float) -> None:
    omega = np.concatenate([[0.0, 1e-9, 1e-4], np.linspace(0.01, 5, 20), [0.999 / tau, 1.001 / tau]])
    want = [integral(lambda t, w=w: area(t, lspot, tau) * np.cos(w * t), lspot, tau) for w in omega]
    np.testing.assert_allclose(trapezoid_transform(omega, lspot, tau), want, atol=1e-8 * want[0])
    assert trapezoid_transform(0.0, lspot, tau) == pytest.approx(lspot + 2 * tau / 3)


def test_gradients_equal_finite_differences() -> None:
    lags = np.array([0.3, 3.1, 5.0, 10.0, 12.7, 15.0, 20.0, 24.7, 25.0])  # kinks of the first shape among them
    for lspot, tau in SHAPES:
        for index in (0, 1):
            if lspot == 0 and index == 0:
                continue
            slope = jax.jacfwd(lambda p: trapezoid_autocorrelation(lags, p[0], p[1]))(jnp.array([lspot, tau]))[:, index]
            step = np.zeros(2)
            step[index] = 1e-6 * max(lspot if index == 0 else tau, 1e-3)
            high, low = (trapezoid_autocorrelation(lags, lspot + s * step[0], tau + s * step[1]) for s in (1, -1))
            np.testing.assert_allclose(slope, (high - low) / (2 * step[index]), atol=1e-5)


def test_object_is_a_pytree_that_jits_and_vmaps() -> None:
    envelopes = TrapezoidSymmetricEnvelope(jnp.array([15.0, 0.0]), jnp.array([5.0, 3.0]))
    lag = jnp.linspace(0, 30, 11)
    many = jax.jit(jax.vmap(lambda e: e.R_Gamma(lag)))(envelopes)
    np.testing.assert_allclose(many[1], TrapezoidSymmetricEnvelope(0.0, 3.0).R_Gamma(lag))
    slope = jax.grad(lambda e: e.R_Gamma(0.0))(TrapezoidSymmetricEnvelope(15.0, 5.0))
    assert (float(slope.lspot), float(slope.tau_spot)) == pytest.approx((1.0, 0.4))


def test_lifetime_is_the_width_of_the_area_at_half_its_peak() -> None:
    envelope = TrapezoidSymmetricEnvelope(4.0, 7.0)
    assert area(envelope.lifetime() / 2, 4.0, 7.0) == pytest.approx(0.5)


def test_symbolic_forms_equal_the_array_code() -> None:
    import sympy as sp

    forms = trapezoid_forms()
    for lspot, tau in [(15.0, 5.0), (2.0, 9.0), (5.0, 5.0)]:
        for name, function, grid in [
            (r"\Gamma(t)", trapezoid, np.linspace(-20, 20, 15)),
            (r"\hat{\Gamma}(\omega)", trapezoid_transform, np.linspace(0.3, 3, 9)),
            (r"R_{\Gamma}(\tau)", trapezoid_autocorrelation, np.linspace(0, 30, 15)),
        ]:
            values = {r"\ell": lspot, r"\tau_{\rm spot}": tau}
            form = forms[name].subs({s: values[s.name] for s in forms[name].free_symbols if s.name in values})
            (variable,) = form.free_symbols
            got = [float(form.subs(variable, sp.Float(x))) for x in grid]
            np.testing.assert_allclose(got, function(grid, lspot, tau), atol=1e-9 * (lspot + tau))


@pytest.mark.parametrize(("lspot", "tau"), [(-1.0, 5.0), (1.0, 0.0), (float("nan"), 1.0)])
def test_numbers_out_of_range_are_refused(lspot: float, tau: float) -> None:
    with pytest.raises(ValueError, match="must"):
        TrapezoidSymmetricEnvelope(lspot, tau)
