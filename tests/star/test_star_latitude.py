"""Laws of latitude: normalised, inverted by their quantiles, and averaged over to a bound."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from spotcat import (
    CustomLatitude,
    GaussianBelts,
    HemisphericBands,
    SpotEvolutionModel,
    TrapezoidSymmetricEnvelope,
    UniformAreaLatitude,
    UniformLatitude,
    VisibilityFunction,
)
from spotcat.star.latitude import latitude_nodes
from spotcat.star.laws import LatitudeLaw
from spotcat.star.symbolic import latitude_forms
from spotcat.star.visibility import fourier_coefficients


def northern(phi: jax.Array, tilt: jax.Array) -> jax.Array:
    return jnp.exp(tilt * jnp.sin(phi))


LAWS = [
    UniformLatitude(),
    UniformAreaLatitude(),
    HemisphericBands(0.2, 0.6),
    HemisphericBands(0.0, np.pi / 2),
    GaussianBelts(0.4, 0.1),
    GaussianBelts(0.05, 0.4),
    GaussianBelts(1.2, 0.02),
    CustomLatitude(northern, {"tilt": 1.5}, param_limits=(("tilt", (-10.0, 10.0)),)),
    CustomLatitude(lambda phi: jnp.where(phi > 0, 1.0, 0.25), breaks=(0.3, 1.0)),
]
CASES = [pytest.param(law, id=f"{type(law).__name__}-{i}") for i, law in enumerate(LAWS)]
density = jax.jit(lambda law, phi: law.density(phi))
quantile = jax.jit(lambda law, u: law.quantile(u))


def kinks(law: LatitudeLaw, *more: float) -> np.ndarray:
    edges = np.asarray(law.edges())
    return np.unique(np.concatenate([-edges, edges, more]))


@pytest.mark.parametrize("law", CASES)
def test_densities_are_normalised_and_quantiles_invert_them(law: LatitudeLaw) -> None:
    x, w = np.polynomial.legendre.leggauss(60)
    ends = kinks(law)
    half = np.diff(ends)[:, None] / 2
    phi = (ends[1:] + ends[:-1])[:, None] / 2 + half * x
    share = np.sum(half * w * np.asarray(density(law, phi)), axis=1)
    assert share.sum() == pytest.approx(1, abs=1e-7)
    u = np.linspace(0.03, 0.97, 12)
    grid = np.linspace(-np.pi / 2, np.pi / 2, 100_001)
    below = np.cumsum(np.asarray(density(law, grid))) * (grid[1] - grid[0])
    np.testing.assert_allclose(np.interp(quantile(law, u), grid, below), u, atol=2e-3)


@pytest.mark.parametrize("law", CASES)
def test_nodes_average_over_the_circumpolar_kink(law: LatitudeLaw) -> None:
    coefficients = jax.jit(lambda phi, inc: fourier_coefficients(phi, inc, 1)[1] ** 2)
    rule = jax.jit(lambda law, inc: latitude_nodes(law, inc, 96))
    for inc in (0.35, 1.0, np.pi / 2):
        ends = kinks(law, -inc, inc)
        want = sum(
            quad(lambda p, inc=inc: float(density(law, p) * coefficients(p, inc)), a + 1e-15, b - 1e-15, epsabs=1e-9)[0]
            for a, b in pairwise(ends)
            if density(law, (a + b) / 2) > 1e-12
        )
        nodes = rule(law, inc)
        assert float(jnp.sum(nodes.north + nodes.south)) == pytest.approx(1)
        got = jnp.sum(nodes.north * coefficients(nodes.phi, inc) + nodes.south * coefficients(-nodes.phi, inc))
        assert float(got) == pytest.approx(want, abs=1e-7)


@pytest.mark.parametrize("law", [pytest.param(law, id=type(law).__name__) for law in (LAWS[2], LAWS[4], LAWS[7])])
def test_averages_have_the_right_gradients(law: LatitudeLaw) -> None:
    names = list(law.param_dict)

    @jax.jit
    def average(p: jax.Array) -> jax.Array:
        nodes = latitude_nodes(law.with_params(dict(zip(names, p[1:], strict=True))), p[0], 96)
        north, south = (fourier_coefficients(s * nodes.phi, p[0], 1)[1] ** 2 for s in (1, -1))
        return jnp.sum(nodes.north * north + nodes.south * south)

    at = np.array([0.45, *law.param_dict.values()])
    slope = jax.grad(average)(at)
    for j in range(len(at)):
        step = 1e-4 * np.eye(len(at))[j]
        near, far = ((average(at + k * step) - average(at - k * step)) / (2e-4 * k) for k in (1, 2))
        assert float(slope[j]) == pytest.approx(float(4 * near - far) / 3, rel=1e-5, abs=1e-7)


def test_impossible_latitudes_and_node_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="lat_max must be between"):
        HemisphericBands(0.2, 2.0)
    with pytest.raises(ValueError, match="multiple of 32"):
        latitude_nodes(UniformAreaLatitude(), 1.0, 40)


def test_symbolic_densities_equal_the_array_code(capsys: pytest.CaptureFixture[str]) -> None:
    model = SpotEvolutionModel(TrapezoidSymmetricEnvelope(6.0, 4.0), VisibilityFunction(3.0, 0.2, 1.0), 0.01)
    assert r"p(\phi)" not in model.get_sympy()
    values = {r"\phi": 0.4, r"\phi_{\min}": 0.2, r"\phi_{\max}": 0.6, r"\phi_0": 0.4, r"\sigma_\phi": 0.1}
    for law in (LAWS[1], LAWS[2], LAWS[4]):
        forms = SpotEvolutionModel(model.envelope, model.visibility, 0.01, latitude=law).get_sympy()
        form = forms[r"p(\phi)"]
        got = float(form.subs({s: values[s.name] for s in form.free_symbols}))
        assert got == pytest.approx(float(law.density(0.4)))
    assert latitude_forms(LAWS[-1]) == {r"p(\phi)": None}
    assert r"p(\phi) = " in capsys.readouterr().out
