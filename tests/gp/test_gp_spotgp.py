"""Our likelihood beside that of spotgp 1.4.0, on curves of its own simulator; needs the ``bench`` extra.

Where its formulas hold (``lspot > tau_spot``, no offset, some harmonics, latitudes enough) the two are one number.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from spotcat import LimbDarkenedVisibility, SpotEvolutionModel, SpotTerm, TrapezoidSymmetricEnvelope
from spotcat.gp import dense

N_CURVES, N_HARM, NOISE = 3, 4, 1e-3
TIME = np.arange(0, 40, 0.5)

# In a process of its own: spotgp sets matplotlib and JAX for the whole process.
THEIRS = """
import sys, numpy as np, jax, spotgp
jax.config.update("jax_enable_x64", True)
parameters = np.load(sys.argv[1])
np.random.seed(1)
flux, value, kernel = [], [], []
for lspot, tau, peq, kappa, inc in parameters:
    model = spotgp.SpotEvolutionModel(
        spotgp.TrapezoidSymmetricEnvelope(lspot=lspot, tau_spot=tau),
        spotgp.VisibilityFunction(peq=peq, kappa=kappa, inc=inc), sigma_k=0.01,
    )
    star = spotgp.LightcurveModel.from_spot_model(model, nspot=30, tsim=40, tsamp=0.5)
    flux.append(np.asarray(star.flux)[:80] - 1)
    options = {"n_harmonics": 4, "n_lat": 1024}
    try:
        kernel.append(np.asarray(spotgp.AnalyticKernel(model, **options).kernel(np.arange(0, 40, 0.5))))
    except ValueError:
        kernel.append(np.full(80, np.nan))
        value.append(np.nan)
        continue
    solver = spotgp.GPSolver(
        np.arange(0, 40, 0.5), flux[-1], np.full(80, 1e-3), model, mean=0.0, matrix_solver="cholesky_full", **options
    )
    value.append(float(solver.log_likelihood() if callable(solver.log_likelihood) else solver.log_likelihood))
np.savez(sys.argv[2], flux=flux, value=value, kernel=kernel)
"""


class Curve(NamedTuple):
    """One curve: its parameters, and how far the two are apart; NaN where spotgp refuses the parameters.

    Attributes:
        parameters: plateau, ramp, period [d], shear, inclination [rad].
        kernel: largest difference of the kernels relative to ours at lag zero.
        likelihood: relative difference of the log-likelihoods.
    """

    parameters: tuple[float, ...]
    kernel: float
    likelihood: float


def draw(n: int) -> np.ndarray:
    """Parameters of n curves, every third with a plateau shorter than its ramps."""
    low, high = np.array([[8.0, 15.0], [2.0, 6.0], [3.0, 10.0], [0.0, 0.3], [0.3, 1.5]]).T
    parameters = low + (high - low) * np.random.default_rng(7).random((n, 5))
    parameters[2::3, :2] = 1.0, 8.0
    return parameters


def beside_spotgp(parameters: np.ndarray, folder: Path) -> list[Curve]:
    """Curves of spotgp's simulator under both likelihoods, at the parameters that made them."""
    np.save(folder / "in.npy", parameters)
    command = [sys.executable, "-W", "ignore", "-c", THEIRS, str(folder / "in.npy"), str(folder / "out.npz")]
    subprocess.run(command, check=True, env=os.environ | {"MPLBACKEND": "Agg"}, timeout=600)
    theirs = np.load(folder / "out.npz")
    found = []
    for (lspot, tau, peq, kappa, inc), flux, want, value in zip(
        parameters, theirs["flux"], theirs["kernel"], theirs["value"], strict=True
    ):
        visibility = LimbDarkenedVisibility(peq, kappa, inc, 0.0, 0.0)  # its harmonics can be counted
        term = SpotTerm(SpotEvolutionModel(TrapezoidSymmetricEnvelope(lspot, tau), visibility, 0.01), 128, N_HARM)
        kernel = np.asarray(term.covariance(TIME))
        data = dense.observe(TIME, flux, np.full(TIME.size, NOISE), np.zeros(TIME.size, int))
        alone = data._replace(offsets=np.zeros_like(data.offsets))
        ours = float(dense.log_likelihood(term, alone))
        apart = float(np.max(np.abs(want - kernel)) / kernel[0])
        found.append(Curve((lspot, tau, peq, kappa, inc), apart, abs(ours / float(value) - 1)))
    return found


@pytest.mark.skipif(find_spec("spotgp") is None, reason="spotgp is not installed: the bench extra")
def test_likelihoods_are_equal_where_its_formulas_hold(tmp_path: Path) -> None:
    """Three curves; ``tests/benchmarks/likelihoods.py`` has twenty, each of which it compiles anew."""
    for curve in beside_spotgp(draw(N_CURVES), tmp_path):
        lspot, tau = curve.parameters[:2]
        assert (curve.kernel < 1e-6 and curve.likelihood < 1e-6) == (lspot > tau), curve
