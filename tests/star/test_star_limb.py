"""Limb darkening, faculae and finite spots against brute averages over longitude and over the disk."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spotcat import (
    EdgeOnVisibility,
    FacularVisibility,
    FiniteSpotVisibility,
    LimbDarkenedVisibility,
    VisibilityFunction,
)
from spotcat.star.latitude import uniform_nodes
from spotcat.star.limb import cap_deficit
from spotcat.star.visibility import projection

LATITUDES = np.linspace(-np.pi / 2, np.pi / 2, 17)
KINDS = [
    VisibilityFunction(10.0, 0.3, 1.0),
    EdgeOnVisibility(10.0),
    LimbDarkenedVisibility(10.0, 0.3, 1.0, 0.4, 0.25),
    FacularVisibility(10.0, 0.3, 0.4, 0.4, 0.25, 1.5),
    FiniteSpotVisibility(10.0, 0.3, 1.0, 0.3),
    FiniteSpotVisibility(10.0, 0.3, 0.2, 0.1, 0.4, 0.25),
]
CASES = [pytest.param(v, id=f"{type(v).__name__}-{i}") for i, v in enumerate(KINDS)]
coefficients = jax.jit(lambda v, phi: v.c_n(phi, 9))
deficit = jax.jit(lambda v, mu: v.deficit(mu, 1.0))


@pytest.mark.parametrize("visibility", CASES[:4])
def test_closed_coefficients_equal_quadrature_over_what_is_seen(visibility: VisibilityFunction) -> None:
    x, w = np.polynomial.legendre.leggauss(80)
    a0, a1, theta = (np.asarray(a) for a in projection(LATITUDES, visibility.inc))
    longitude = theta[:, None] * (x + 1) / 2
    seen = np.asarray(deficit(visibility, a0[:, None] + a1[:, None] * np.cos(longitude)))
    want = np.array([theta / 2 / np.pi * ((seen * np.cos(n * longitude)) @ w) for n in range(10)])
    np.testing.assert_allclose(coefficients(visibility, LATITUDES), want, atol=1e-8 * want.max())


@pytest.mark.parametrize("visibility", CASES)
def test_coefficients_equal_longitude_averages(visibility: VisibilityFunction) -> None:
    m = 4_000
    x = (np.arange(m) + 0.5) / m * 2 * np.pi
    inc = visibility.inc
    mu = np.cos(inc) * np.sin(LATITUDES)[:, None] + np.sin(inc) * np.cos(LATITUDES)[:, None] * np.cos(x)
    seen = np.asarray(deficit(visibility, mu))
    want = np.array([(seen * np.cos(n * x)).mean(1) for n in range(10)])
    np.testing.assert_allclose(coefficients(visibility, LATITUDES), want, atol=1e-6)


def test_edge_on_harmonics_do_not_vanish_above_the_second() -> None:
    nodes = uniform_nodes(np.pi / 2, 32)
    mean = 2 * jnp.sum(nodes.weight * EdgeOnVisibility(5.0).c_n(nodes.phi, 6) ** 2, axis=1)
    want = [1 / (2 * np.pi**2), 1 / 32, 1 / (18 * np.pi**2), 0, 2.2516e-4, 0, 4.1356e-5]
    np.testing.assert_allclose(mean, want, rtol=1e-4, atol=1e-12)
    general = VisibilityFunction(5.0, 0.0, np.pi / 2).c_n(LATITUDES, 9)
    np.testing.assert_allclose(EdgeOnVisibility(5.0).c_n(LATITUDES, 9), general, atol=1e-14)


def uniform_cap(alpha: float, beta: float) -> float:
    """The projected area of a spherical cap over that of the disk, by its three cases (Eker 1994, ApJ 420, 373)."""
    if alpha + beta <= np.pi / 2:
        return np.sin(alpha) ** 2 * np.cos(beta)
    if beta - alpha >= np.pi / 2:
        return 0.0
    edge = np.cos(alpha) / np.sin(beta)
    inner = np.cos(beta) * np.sin(alpha) ** 2 * np.arccos(-np.cos(beta) / np.sin(beta) / np.tan(alpha))
    return (np.arccos(edge) + inner - np.cos(alpha) * np.sin(beta) * np.sqrt(1 - edge**2)) / np.pi


def darkened_cap(alpha: float, beta: float, u1: float, u2: float) -> float:
    """The light hidden, summed over the cap in polar coordinates about its own centre."""
    x, w = np.polynomial.legendre.leggauss(400)
    r = (x + 1) / 2 * alpha
    angle = (np.arange(4_000) + 0.5) / 4_000 * np.pi
    mu = np.cos(r)[:, None] * np.cos(beta) + np.sin(r)[:, None] * np.sin(beta) * np.cos(angle)
    seen = np.maximum(mu, 0) * (1 - u1 * (1 - mu) - u2 * (1 - mu) ** 2)
    return float((w * alpha / 2 * np.sin(r) * seen.mean(1)).sum() * 2 / (1 - u1 / 3 - u2 / 6))


@pytest.mark.parametrize("alpha", [0.02, 0.3, 1.0])
def test_a_cap_hides_what_its_geometry_says(alpha: float) -> None:
    beta = np.concatenate([np.linspace(0.001, 3.1, 60), [np.pi / 2 - alpha, np.pi / 2, alpha]])
    want = np.array([uniform_cap(alpha, b) for b in beta])
    np.testing.assert_allclose(jax.jit(cap_deficit)(alpha, np.cos(beta)), want, atol=1e-8 * want.max())
    for b in (0.1, 0.9, np.pi / 2 - 0.7 * alpha, np.pi / 2 + 0.5 * alpha):
        got = float(cap_deficit(alpha, np.cos(b), 0.4, 0.25))
        assert got == pytest.approx(darkened_cap(alpha, b, 0.4, 0.25), abs=2e-5 * want.max())


def test_tiny_caps_are_small_spots() -> None:
    small, finite = (
        LimbDarkenedVisibility(5.0, 0.0, 1.0, 0.4, 0.25),
        FiniteSpotVisibility(5.0, 0.0, 1.0, 1e-3, 0.4, 0.25),
    )
    mu = np.linspace(0.01, 0.99, 20)
    np.testing.assert_allclose(finite.deficit(mu, 1.0), small.deficit(mu, 1.0), rtol=1e-4)


@pytest.mark.parametrize("visibility", CASES[3:5])
def test_gradients_equal_finite_differences(visibility: VisibilityFunction) -> None:
    names = list(visibility.param_dict)
    phi = np.array([-0.4, 0.1, 0.7])

    @jax.jit
    def power(p: jax.Array) -> jax.Array:
        return jnp.sum(visibility.with_params(dict(zip(names, p, strict=True))).c_n(phi, 4) ** 2, axis=1)

    at = np.array(list(visibility.param_dict.values()))
    slope = np.asarray(jax.jit(jax.jacfwd(power))(at))
    assert np.isfinite(slope).all()
    for j in range(len(at)):
        step = 1e-4 * np.eye(len(at))[j]
        near, far = ((power(at + k * step) - power(at - k * step)) / (2e-4 * k) for k in (1, 2))
        np.testing.assert_allclose(slope[:, j], np.asarray(4 * near - far) / 3, rtol=1e-5, atol=2e-6)


def test_impossible_limbs_are_refused() -> None:
    with pytest.raises(ValueError, match="u1 must be between"):
        LimbDarkenedVisibility(5.0, 0.0, 1.0, 1.4, 0.0)
    with pytest.raises(ValueError, match="alpha_max must be between"):
        FiniteSpotVisibility(5.0, 0.0, 1.0, 2.0)


def test_symbolic_forms_equal_the_array_code(capsys: pytest.CaptureFixture[str]) -> None:
    import sympy as sp

    phi = 0.3
    for visibility in (KINDS[1], KINDS[2], KINDS[3]):
        forms = visibility.get_sympy()
        assert capsys.readouterr().out.startswith(type(visibility).__name__)
        a0, a1, theta = (float(x) for x in projection(phi, visibility.inc))
        known = {r"\phi": phi, "a_0": a0, "a_1": a1, r"\theta_v": theta, r"P_{\rm eq}": 10.0, "n": 2}
        known |= {"u_1": 0.4, "u_2": 0.25, "q": 1.5, r"\mu": 0.6, "i": visibility.inc, r"\kappa": 0.3}
        number = {name: form.subs({s: known[s.name] for s in form.free_symbols}) for name, form in forms.items()}
        got = {name: float(sp.N(form.doit() if name == "c_n" else form)) for name, form in number.items()}
        c = np.asarray(coefficients(visibility, np.array([phi])))[:, 0]
        assert got["c_n"] == pytest.approx(c[2], abs=1e-12)
        if "c_0" in got:
            assert [got["c_0"], got["c_1"]] == pytest.approx(c[:2].tolist())
            assert got[r"\omega_0"] == pytest.approx(float(visibility.omega_0(phi)))
        else:
            assert got[r"V(\mu)"] == pytest.approx(float(visibility.deficit(0.6, 1.0)))
    assert KINDS[4].get_sympy()["c_n"] is None
