"""Fourier coefficients and phase autocorrelation against brute-force longitude averages."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from spotcat import VisibilityFunction
from spotcat.star.latitude import uniform_nodes
from spotcat.star.symbolic import visibility_forms
from spotcat.star.visibility import fourier_coefficients, phase_autocorrelation, projection

LATITUDES = np.linspace(-np.pi / 2, np.pi / 2, 33)
INCLINATIONS = [0.0, 0.3, 1.0, np.pi / 2]


def visibility(phi: np.ndarray, inc: float, longitude: np.ndarray) -> np.ndarray:
    a0, a1 = np.cos(inc) * np.sin(phi), np.sin(inc) * np.cos(phi)
    return np.maximum(a0[:, None] + a1[:, None] * np.cos(longitude), 0)


@pytest.mark.parametrize("inc", INCLINATIONS)
def test_coefficients_equal_longitude_averages(inc: float) -> None:
    longitude = (np.arange(40_000) + 0.5) / 40_000 * 2 * np.pi
    v = visibility(LATITUDES, inc, longitude)
    want = np.array([(v * np.cos(n * longitude)).mean(1) for n in range(8)])
    np.testing.assert_allclose(fourier_coefficients(LATITUDES, inc, 7), want, atol=1e-8)


@pytest.mark.parametrize("inc", INCLINATIONS)
def test_phase_autocorrelation_equals_longitude_average_and_harmonic_sum(inc: float) -> None:
    m = 20_000
    v = visibility(LATITUDES, inc, (np.arange(m) + 0.5) / m * 2 * np.pi)
    c = np.asarray(fourier_coefficients(LATITUDES, inc, 60))
    for shift in (0, 137, 5_000, 12_345, 3 * m + 77):
        psi = shift / m * 2 * np.pi
        got = phase_autocorrelation(psi, LATITUDES, inc)
        np.testing.assert_allclose(got, (v * np.roll(v, -shift, axis=1)).mean(1), atol=1e-8)
        harmonics = c[0] ** 2 + 2 * np.sum(c[1:] ** 2 * np.cos(np.arange(1, 61) * psi)[:, None], axis=0)
        np.testing.assert_allclose(got, harmonics, atol=2e-6)


def test_gradients_are_finite_at_the_circumpolar_limits_and_right_elsewhere() -> None:
    def total(inc: jax.Array) -> jax.Array:
        return jnp.sum(fourier_coefficients(LATITUDES, inc, 4) ** 2)

    for inc in [0.0, 1e-9, np.pi / 2, *np.abs(LATITUDES[1:8])]:  # the last touch a circumpolar limit exactly
        assert np.isfinite(jax.grad(total)(inc))
        assert np.isfinite(jax.grad(lambda i: jnp.sum(phase_autocorrelation(0.7, LATITUDES, i)))(inc))
    for inc in (0.2345, 0.9, 1.3):
        difference = (total(inc + 1e-6) - total(inc - 1e-6)) / 2e-6
        assert jax.grad(total)(inc) == pytest.approx(float(difference), rel=1e-5)


def test_spots_that_never_rise_or_never_set() -> None:
    a0, _, theta = projection(np.array([-1.2, 1.2]), 0.3)
    assert theta.tolist() == [0.0, np.pi]
    np.testing.assert_allclose(fourier_coefficients(np.array([-1.2]), 0.3, 3), 0, atol=1e-15)
    np.testing.assert_allclose(fourier_coefficients(np.array([1.2]), 0.3, 0 + 1)[0], a0[1])


@pytest.mark.parametrize("inc", [1e-6, 0.3, 1.0, np.pi / 2])
def test_latitude_nodes_average_a_kinked_function(inc: float) -> None:
    def function(phi: float) -> float:
        c = fourier_coefficients(np.array([phi, -phi]), inc, 1)
        return float(jnp.sum(c**2))

    want = quad(function, 0, np.pi / 2, points=[inc] if inc < 1.5 else None, epsabs=1e-12, limit=200)[0] / np.pi
    nodes = uniform_nodes(inc, 64)
    assert float(nodes.weight.sum()) == pytest.approx(0.5)
    got = float(sum(w * function(p) for p, w in zip(nodes.phi, nodes.weight, strict=True)))
    assert got == pytest.approx(want, rel=1e-9)


def test_symbolic_forms_equal_the_array_code() -> None:
    phi, inc = 0.4, 1.1
    a0, a1, theta = (float(v) for v in projection(phi, inc))
    values = {r"\phi": phi, "i": inc, r"\kappa": 0.3, r"P_{\rm eq}": 10.0, "a_0": a0, "a_1": a1, r"\theta_v": theta}
    forms = visibility_forms()

    def number(name: str, **more: float) -> float:
        known = values | more
        return float(forms[name].subs({s: known[s.name] for s in forms[name].free_symbols}))

    c = fourier_coefficients(phi, inc, 4)
    assert number("c_0") == pytest.approx(float(c[0]))
    assert number("c_1") == pytest.approx(float(c[1]))
    assert [number("c_n", n=n) for n in (2, 3, 4)] == pytest.approx(c[2:].tolist())
    assert [number("a_0"), number("a_1"), number(r"\theta_v")] == pytest.approx([a0, a1, theta])
    assert number(r"\omega_0(\phi)") == pytest.approx(float(VisibilityFunction(10.0, 0.3, inc).omega_0(phi)))


def test_a_period_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="peq"):
        VisibilityFunction(0.0, 0.1, 1.0)
