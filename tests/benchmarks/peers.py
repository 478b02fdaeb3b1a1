"""Rotation periods by other packages, which the ``bench`` extra installs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from fit_samples import Star


def spotgp_kernel() -> Any:
    """spotgp's kernel of the star that ``speed.py`` takes."""
    import spotgp

    return spotgp.AnalyticKernel(
        spotgp.SpotEvolutionModel(
            spotgp.TrapezoidSymmetricEnvelope(lspot=15.0, tau_spot=5.0),
            spotgp.VisibilityFunction(peq=10.0, kappa=0.3, inc=1.0),
            sigma_k=0.01,
        )
    )


def spotgp_periods(stars: Sequence[Star], starts: int = 3) -> list[float]:
    """Best of several random starts of ``fit_map``, the package's own build included."""
    import spotgp

    bounds = {"peq": (1.5, 40.0), "kappa": (0.001, 0.6), "inc": (0.05, 1.55), "lspot": (0.5, 60.0)}
    bounds |= {"tau_spot": (0.5, 30.0), "sigma_k": (0.01, 3.0)}
    periods = []
    for i, star in enumerate(stars):
        model = spotgp.SpotEvolutionModel(
            spotgp.TrapezoidSymmetricEnvelope(lspot=15.0, tau_spot=5.0),
            spotgp.VisibilityFunction(peq=8.0, kappa=0.1, inc=1.0),
            sigma_k=0.3,
        )
        scale = star.flux.std()
        y, error = (star.flux - star.flux.mean()) / scale, star.flux_err / scale
        # The band of these bounds fills the baseline, where the package itself advises its dense solver.
        solver = spotgp.GPSolver(star.time, y, error, model, bounds=bounds, matrix_solver="cholesky_full")
        solver.build_jax()
        found = solver.fit_map(nopt=starts, method="L-BFGS-B", maxiter=200, rng=np.random.default_rng(i))
        periods.append(float(_period_of(found, solver)))
    return periods


def _period_of(found: Any, solver: Any) -> float:
    """The period in whatever form the package returns its result."""
    found = found[0] if isinstance(found, tuple) else found
    if isinstance(found, dict) and "peq" in found:
        return found["peq"]
    theta = found.get("theta", found.get("x")) if isinstance(found, dict) else getattr(found, "theta", found)
    return theta["peq"] if isinstance(theta, dict) else np.asarray(theta)[list(solver.param_keys).index("peq")]


def celerite_periods(stars: Sequence[Star], starts: int = 5) -> list[float]:
    """Best of five starts of a rotation term (two damped oscillators) with jitter."""
    import celerite2
    from celerite2 import terms
    from scipy.optimize import minimize

    limits = [(-4, 4), tuple(np.log([1.5, 40.0])), (-4, 6), (-4, 6), (-3, 0), (-6, 1)]
    periods = []
    for star in stars:
        scale = star.flux.std()
        y, error = (star.flux - star.flux.mean()) / scale, star.flux_err / scale

        def objective(x: np.ndarray, t: np.ndarray = star.time, y: np.ndarray = y, e: np.ndarray = error) -> float:
            sigma, period, q0, dq, f, jitter = np.exp(x)
            gp = celerite2.GaussianProcess(terms.RotationTerm(sigma=sigma, period=period, Q0=q0, dQ=dq, f=f))
            gp.compute(t, diag=e**2 + jitter**2, quiet=True)
            value = gp.log_likelihood(y)
            # The log-normal priors on both quality factors are those of the package's own tutorial.
            return 0.5 * np.sum((x[2:4] / 2) ** 2) - value if np.isfinite(value) else 1e25

        begins = [np.log([1, period, 2.0, 0.5, 0.5, 0.1]) for period in np.geomspace(2, 30, starts)]
        climbs = [minimize(objective, begin, method="L-BFGS-B", bounds=limits) for begin in begins]
        best = min(climbs, key=lambda climb: climb.fun)
        periods.append(float(np.exp(best.x[1])))
    return periods
