"""Single precision after double: what one precision compiled does not stand in the way of the other."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spotcat import (
    CustomLatitude,
    FiniteSpotVisibility,
    LogisticPlateauEnvelope,
    ModulatedGammaEnvelope,
    SkewedGaussianEnvelope,
    gnevyshev_waldmeier,
)

PARTS = {
    "skewed": lambda x: SkewedGaussianEnvelope(5.0, 2.0).R_Gamma(x),
    "skewed transform": lambda x: jnp.real(SkewedGaussianEnvelope(5.0, 2.0).Gamma_hat(x)),
    "logistic": lambda x: LogisticPlateauEnvelope(1.0, 3.0).R_Gamma(x),
    "modulated": lambda x: ModulatedGammaEnvelope(2.0, 3.0).R_Gamma(x),
    "population": lambda x: gnevyshev_waldmeier(LogisticPlateauEnvelope(9.0, 1.0), 0.3).R_Gamma(x),
    "latitude": lambda x: CustomLatitude(lambda phi: jnp.exp(phi)).density(x / 10),
    "finite": lambda x: FiniteSpotVisibility(3.0, 0.1, 1.0, 0.3).deficit(x / 10, 0.5),
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_single_precision_follows_double(part) -> None:
    x = np.array([0.5, 2.0, 7.0])
    double = np.asarray(jax.jit(part)(x))
    with jax.enable_x64(False):
        single = np.asarray(jax.jit(part)(x))
    assert (double.dtype, single.dtype) == (np.float64, np.float32)
    np.testing.assert_allclose(single, double, rtol=2e-3, atol=1e-4 * np.abs(double).max())
