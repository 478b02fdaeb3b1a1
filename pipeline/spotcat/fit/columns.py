"""From fits to catalog columns: quantiles of the posterior, and the verdict on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spotcat.config import FitConfig
from spotcat.fit.buckets import BucketSpec, Measurements, grid_stars
from spotcat.fit.modes import Fit
from spotcat.fit.posterior import KEPT, Quantities, kept, rotating_share, shrinkage
from spotcat.fit.second import Second
from spotcat.model.layout import N_SHAPE
from spotcat.status import LifetimeFlag, Status
from spotcat.verdict.calibration import QUANTITIES
from spotcat.verdict.decision import Fitted, Seen, verdict
from spotcat.verdict.describing import DATA_COLUMNS
from spotcat.verdict.dips import Dips
from spotcat.verdict.worth import limits_alone, worth


class FitTable(NamedTuple):
    """Catalog columns and per-star arrays, in the order of the light curves.

    Attributes:
        columns: one array of shape (n,) for each column that the fit knows.
        arrays: ``gp_period``, ``gp_periodogram`` (n, n_period), ``fit_vector`` (n, n_theta), ``outlier_time`` (n,
            MOST_OUTLIERS), and ``prot_draws`` and its like (n, KEPT_DRAWS).
    """

    columns: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]


def fit_table(
    fit: Fit,
    second: Second,
    dips: Dips,
    gain: np.ndarray,
    stars: Sequence[Measurements],
    spec: BucketSpec,
    config: FitConfig,
) -> FitTable:
    """The rows of some stars.

    Args:
        fit: their fits.
        second: their second signals.
        dips: the dips that were found in them, those that repeat left out of `stars`.
        gain: their GP periodograms, shape (n, n_period).
        stars: their light curves.
        spec: their bucket.
        config: settings of the steps.

    Returns:
        One row for each star; a star that could not be fitted has a status and NaNs.
    """
    columns = _columns(fit, dips, stars, spec, config)
    columns |= {"p_other": second.period, "amplitude_other": second.amplitude, "lnl_other": second.gain}
    failed = ~np.isin(columns["status"], (Status.OK, Status.NOT_CONVERGED))
    for name, values in columns.items():
        if name not in (*DATA_COLUMNS, "dt") and values.dtype.kind == "f":
            columns[name] = np.where(failed, np.nan, values)
    for name in ("rotating", "flags"):
        columns[name][failed] = 0  # nothing is known of a fit that is none
    for flag in ("lifetime_flag", "kappa_flag", "inc_flag"):
        columns[flag][failed] = LifetimeFlag.NOT_FITTED
    columns |= limits_alone(columns)
    columns["verdict"] = worth(columns)
    arrays: dict[str, np.ndarray] = {
        "gp_period": np.broadcast_to(spec.periods(config), gain.shape),
        "gp_periodogram": gain,
        "fit_vector": fit.theta,
        "outlier_time": fit.outlier_time,
    }
    arrays |= {f"{name}_draws": kept(getattr(fit.draws, name)) for name in KEPT}
    return FitTable(columns, {name: np.where(failed[:, None], np.nan, a) for name, a in arrays.items()})


def _columns(
    fit: Fit, dips: Dips, stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig
) -> dict[str, np.ndarray]:
    layout = spec.layout(config)
    columns: dict[str, np.ndarray] = dict(fit.best._asdict())
    for name, draws in fit.draws._asdict().items():
        columns[f"{name}_lower"], columns[f"{name}_upper"] = np.percentile(draws, [16, 84], axis=1)
    columns |= {
        "p_second": fit.second.prot,
        "p_second_lnodds": fit.lnodds,
        "p_half_lnodds": fit.half_lnodds,
        "p_double_lnodds": fit.double_lnodds,
        "lnl_rotation": fit.gain,
        "dt": fit.dt,
        "amplitude_limit": np.percentile(fit.draws.amplitude, 95, axis=1),
        "rotating_share": rotating_share(fit.theta, layout),
        "white_noise": white_noise(fit),
        "n_fit_outliers": np.isfinite(fit.outlier_time).sum(axis=1).astype(np.int32),
    }
    columns |= {name: getattr(fit, name) for name in ("n_eff", "pareto_k", "r_hat", "n_divergent")}
    shrunk = shrinkage(fit.draws, layout.priors)
    columns |= {f"{name}_shrinkage": share for name, share in shrunk.items()}
    levels = fit.theta[:, layout.levels]
    fitted = Fitted(fit.value, fit.left, levels, fit.draws.spot_lifetime, fit.draws.kappa, shrunk)
    columns |= verdict(columns, fitted, _seen(stars, dips, spec, config), config)
    if config.sampler != "laplace":
        columns |= _sampled_intervals(columns, fit.draws)
    return columns


def white_noise(fit: Fit) -> np.ndarray:
    """Standard deviation of the fitted white noise in means over an hour, relative flux, shape (n,)."""
    of_a_bin = fit.best.amplitude * np.exp(0.5 * (fit.theta[:, -1] - fit.theta[:, N_SHAPE]))
    return np.asarray(of_a_bin * np.sqrt(24 * fit.dt))


def _seen(stars: Sequence[Measurements], dips: Dips, spec: BucketSpec, config: FitConfig) -> Seen:
    coarse = grid_stars(stars, spec.whole)
    fine = grid_stars(stars, spec.finest_grid) if spec.finest else coarse
    return Seen(fine, spec.finest_grid.dt, coarse, spec.dt, spec.periods(config), dips)


def _sampled_intervals(columns: dict[str, np.ndarray], draws: Quantities) -> dict[str, np.ndarray]:
    """The intervals that the calibration of Laplace intervals says nothing of, as they were sampled."""
    out: dict[str, np.ndarray] = {}
    for name in QUANTITIES:
        out |= {f"{name}_{end}": columns[f"{name}_{end}_raw"] for end in ("lower", "upper")}
        out[f"{name}_lower95"], out[f"{name}_upper95"] = np.percentile(getattr(draws, name), [2.5, 97.5], axis=1)
    return out
