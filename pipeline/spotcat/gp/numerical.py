"""The covariance of simulated stars: the check of the analytic one, and what is left where a star is beyond that."""

from __future__ import annotations

import numpy as np

from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.lightcurve import simulate_stars


class NumericalKernel:
    """Mean autocovariance of many simulated light curves.

    Attributes:
        lag: lags [d], shape (n,).
        covariance: their covariances, shape (n,), in the units of the analytic kernel.
        error: standard errors of the covariances.
        mean: mean relative flux.
    """

    def __init__(
        self,
        model: SpotEvolutionModel,
        tsim: float = 60.0,
        tsamp: float = 0.5,
        n_star: int = 1000,
        *,
        nspot_rate: float = 1.0,
        seed: int = 0,
    ) -> None:
        """Simulate.

        Args:
            model: the star.
            tsim: duration of each light curve [d]; lags reach to half of it.
            tsamp: cadence [d].
            n_star: number of light curves.
            nspot_rate: spots that emerge per day; the covariance does not depend on it.
            seed: of the simulation.

        Raises:
            ValueError: fewer than two stars or four points.
        """
        t = np.arange(0, tsim, tsamp)
        if n_star < 2 or t.size < 4:
            raise ValueError(f"a covariance takes two stars and four points, got {n_star} and {t.size}")
        flux = np.asarray(simulate_stars(model, t, n_star, nspot_rate=nspot_rate, seed=seed).flux)
        self.mean = float(flux.mean())
        off = flux - self.mean
        products = np.array([(off[:, : t.size - k] * off[:, k:]).mean(1) for k in range(t.size // 2)])
        self.lag = t[: t.size // 2]
        self.covariance = products.mean(1)
        self.error = products.std(1, ddof=1) / np.sqrt(n_star)
