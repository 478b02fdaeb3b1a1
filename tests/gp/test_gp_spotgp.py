"""Our likelihood beside that of spotgp 1.4.0, on curves of its own simulator; needs the ``bench`` extra.

Where its formulas hold (``lspot > tau_spot``, no offset, some harmonics, latitudes enough) the two are one number.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

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


@pytest.mark.skipif(find_spec("spotgp") is None, reason="spotgp is not installed: the bench extra")
def test_likelihoods_are_equal_where_its_formulas_hold(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    low, high = np.array([[8.0, 15.0], [2.0, 6.0], [3.0, 10.0], [0.0, 0.3], [0.3, 1.5]]).T
    parameters = low + (high - low) * rng.random((N_CURVES, 5))
    parameters[-1, :2] = 1.0, 8.0  # beyond its formulas, which it refuses: a plateau shorter than the ramps
    np.save(tmp_path / "in.npy", parameters)
    command = [sys.executable, "-W", "ignore", "-c", THEIRS, str(tmp_path / "in.npy"), str(tmp_path / "out.npz")]
    subprocess.run(command, check=True, env=os.environ | {"MPLBACKEND": "Agg"}, timeout=300)
    theirs = np.load(tmp_path / "out.npz")
    for i, (lspot, tau, peq, kappa, inc) in enumerate(parameters):
        visibility = LimbDarkenedVisibility(peq, kappa, inc, 0.0, 0.0)  # its harmonics can be counted
        term = SpotTerm(SpotEvolutionModel(TrapezoidSymmetricEnvelope(lspot, tau), visibility, 0.01), 128, N_HARM)
        kernel = np.asarray(term.covariance(TIME))
        same = np.max(np.abs(theirs["kernel"][i] - kernel)) < 1e-6 * kernel[0]
        assert same == (lspot > tau), (lspot, tau)
        if not same:
            continue
        data = dense.observe(TIME, theirs["flux"][i], np.full(TIME.size, NOISE), np.zeros(TIME.size, int))
        alone = data._replace(offsets=np.zeros_like(data.offsets))
        assert float(dense.log_likelihood(term, alone)) == pytest.approx(theirs["value"][i], rel=1e-6)
