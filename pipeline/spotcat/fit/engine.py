"""The fit of a batch of stars: search, refine, confirm, posterior; light curves in, catalog columns out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spotcat.config import FitConfig
from spotcat.fit.buckets import (
    BINS_PER_CYCLE,
    BINS_PER_PERIOD,
    BucketSpec,
    GridBatch,
    Measurements,
    coarsen,
    grid_stars,
)
from spotcat.fit.classical import autocorrelation_periods, lomb_scargle_periods
from spotcat.fit.confirm import Confirmed, GridStar, block_for, confirm
from spotcat.fit.posterior import Quantities, laplace_draws
from spotcat.fit.refine import Mode, curvature_at, lanes_for, refine, starting_points
from spotcat.fit.search import Bank, Found, make_bank, null_value, search
from spotcat.gp.composite import support_steps
from spotcat.gp.whittle import periodogram
from spotcat.status import Flag, LifetimeFlag, Status

NOT_CONVERGED_ABOVE = 3.0
"""Expected gain in log-posterior of a further step above which a fit is not called converged."""


GROUP = 4
"""Stars refined and confirmed side by side."""
SEARCH_MARGIN = 10.0
"""A further mode this much worse in log-likelihood than the best is not worth a finer grid."""

_DATA_COLUMNS = ("baseline", "duty", "longest_segment", "rvar", "sph")


class FitTable(NamedTuple):
    """Catalog columns and per-star arrays, in the order of the light curves.

    Attributes:
        columns: one array of shape (n,) for each column that the fit knows.
        arrays: ``gp_period``, ``gp_periodogram`` (n, n_period) and ``fit_vector`` (n, n_theta).
    """

    columns: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]


class Fit(NamedTuple):
    """What refine and confirm found for some stars; NumPy arrays, leading axis the star."""

    theta: np.ndarray
    value: np.ndarray
    left: np.ndarray
    gain: np.ndarray
    lnodds: np.ndarray
    dt: np.ndarray
    best: Quantities
    draws: Quantities
    second: Quantities


def fit_stars(stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig, lanes: int = 0) -> FitTable:
    """Fit stars of one bucket.

    Args:
        stars: light curves; all must fit the bucket's grid.
        spec: the bucket.
        config: settings of the steps.
        lanes: batch size that the search is padded to, so that a short batch uses the program of a full one.

    Returns:
        One row for each star; a star that cannot be fitted has a status and NaNs.
    """
    n = len(stars)
    padded = list(stars) + [stars[-1]] * (lanes - n)
    batch = grid_stars(padded, spec)
    bank = make_bank(spec, config)
    with jax.enable_x64(True):
        single = [a.astype(np.float32) for a in (batch.y, batch.mask)]
        found = _take(search(*single, bank, config.n_harm, config.n_modes), slice(n))
        fit = _fit_on_own_grids(stars, found, bank, spec, config)
    return _table(fit, found, _take(batch, slice(n)), spec, config)


def _fit_on_own_grids(
    stars: Sequence[Measurements], found: Found, bank: Bank, spec: BucketSpec, config: FitConfig
) -> Fit:
    """Refine and confirm each star on the grid that its shortest likely period needs."""
    specs = [coarsen(spec, _shortest_period(bank, found, i)) for i in range(len(stars))]
    pieces, order = [], []
    for own in sorted(set(specs)):
        members = [i for i, s in enumerate(specs) if s == own]
        for group in (members[i : i + GROUP] for i in range(0, len(members), GROUP)):
            lanes = group + [group[-1]] * (GROUP - len(group))
            batch = grid_stars([stars[i] for i in lanes], own)
            pieces.append(_take(_fit_modes(batch, _take(found, lanes), bank, own, config), slice(len(group))))
            order += group
    together = jax.tree.map(lambda *a: np.concatenate(a), *pieces)
    return _take(together, np.argsort(order))


def _shortest_period(bank: Bank, found: Found, star: int) -> float:
    """The best period, or a shorter one that the search likes almost as well (four bins are enough for that)."""
    best, *_, other = np.exp(bank.templates[found.modes[star], 0])
    gain = found.gain[star]
    likely = gain[found.modes[star, -1] // (len(bank.templates) // len(bank.periods))] > gain.max() - SEARCH_MARGIN
    return min(best, other * BINS_PER_CYCLE / BINS_PER_PERIOD) if likely else best


def _fit_modes(batch: GridBatch, found: Found, bank: Bank, spec: BucketSpec, config: FitConfig) -> Fit:
    layout = spec.layout(config)
    starts = starting_points(bank.templates[found.modes], found.powers.astype(float), layout)
    star = {name: jnp.asarray(getattr(batch, name)) for name in GridStar._fields}
    stars, seen = GridStar(**star), periodogram(star["y"], star["mask"])
    modes = refine(starts, seen, stars.width, layout, config.refine_steps, lanes_for(layout))
    modes = _best(jax.tree.map(np.asarray, modes), config.confirm_modes)

    block = block_for(float(np.nanmax(support_steps(modes.theta, layout.dt))), layout)
    climb = partial(confirm, stars=stars, layout=layout, n_segments=spec.n_segments, block=block)
    confirmed = _best(jax.tree.map(np.asarray, climb(modes, n_steps=config.confirm_steps)), config.confirm_modes)
    first, other = (_mode(confirmed, i) for i in (0, min(1, config.confirm_modes - 1)))
    start = Mode(first.theta[:, None], first.value[:, None], first.curvature[:, None])
    best = _mode(climb(start, n_steps=config.polish_steps), 0)

    curvature = curvature_at(best.theta, seen, stars.width, layout)
    quantities, draws = laplace_draws(best.theta, curvature, batch.scale, layout)
    second, _ = laplace_draws(other.theta, curvature, batch.scale, layout)
    found_here = {
        "theta": best.theta,
        "value": best.value,
        "left": best.left,
        "gain": null_value(seen, spec) - modes.value[:, 0],
        "lnodds": first.value - other.value,
        "dt": np.full(len(batch.y), spec.dt),
        "best": quantities,
        "draws": draws,
        "second": second,
    }
    return Fit(**jax.tree.map(np.asarray, found_here))


def _take(tree: Any, index: Any) -> Any:
    """Some stars of a tree of arrays, as NumPy."""
    return jax.tree.map(lambda a: np.asarray(a)[index], tree)


def _best(modes: Any, k: int) -> Any:
    """The `k` modes of each star with the lowest value, in order; non-finite ones last."""
    order = np.argsort(np.where(np.isfinite(modes.value), modes.value, np.inf), axis=1, kind="stable")[:, :k]
    return jax.tree.map(lambda a: np.take_along_axis(a, order.reshape(order.shape + (1,) * (a.ndim - 2)), 1), modes)


def _mode(modes: Confirmed, i: int) -> Confirmed:
    """Mode `i` of every star."""
    return Confirmed(*(a[:, i] for a in modes))


def _table(fit: Fit, found: Found, batch: GridBatch, spec: BucketSpec, config: FitConfig) -> FitTable:
    columns = _columns(fit, batch, spec, config)
    failed = ~np.isin(columns["status"], (Status.OK, Status.NOT_CONVERGED))
    for name, values in columns.items():
        if name not in (*_DATA_COLUMNS, "dt") and values.dtype.kind == "f":
            columns[name] = np.where(failed, np.nan, values)
    columns["rotating"] = np.where(failed, 0, columns["rotating"]).astype(np.int8)
    columns["lifetime_flag"][failed] = LifetimeFlag.NOT_FITTED
    periods = np.broadcast_to(spec.periods(config), found.gain.shape)
    arrays = {"gp_period": periods, "gp_periodogram": np.asarray(found.gain), "fit_vector": fit.theta}
    return FitTable(columns, {name: np.where(failed[:, None], np.nan, a) for name, a in arrays.items()})


def _columns(fit: Fit, batch: GridBatch, spec: BucketSpec, config: FitConfig) -> dict[str, np.ndarray]:
    periods = spec.periods(config)
    columns: dict[str, np.ndarray] = dict(jax.tree.map(np.asarray, fit.best._asdict()))
    for name, draws in fit.draws._asdict().items():
        columns[f"{name}_lower"], columns[f"{name}_upper"] = np.percentile(draws, [16, 84], axis=1)
    columns |= {
        "p_second": np.asarray(fit.second.prot),
        "p_second_lnodds": fit.lnodds,
        "p_ls": lomb_scargle_periods(batch.y, batch.mask, spec.dt, periods[0], periods[-1]),
        "p_acf": autocorrelation_periods(batch.y, batch.mask, spec.dt, periods[0], periods[-1]),
        "lnl_rotation": fit.gain,
        "rotating": (fit.gain >= config.detection).astype(np.int8),
        "dt": fit.dt,
    }
    columns |= _data_columns(batch, spec, columns["prot"])
    columns["lifetime_flag"] = _lifetime_flag(columns, fit.draws)
    columns["status"], columns["flags"] = _status(fit, batch), _flags(columns, periods)
    columns["reason"] = np.array([Status(s).words for s in columns["status"]])
    return columns


def _data_columns(batch: GridBatch, spec: BucketSpec, prot: np.ndarray) -> dict[str, np.ndarray]:
    """Columns that describe the light curve itself."""
    rows = []
    for y, mask, segment, scale, p in zip(batch.y, batch.mask, batch.segment, batch.scale, prot, strict=True):
        seen = np.flatnonzero(mask)
        flux, where = y[seen] * scale, segment[seen]
        lengths = [np.ptp(seen[where == s]) for s in np.unique(where)]
        window = np.floor(seen * spec.dt / (5 * p)).astype(int) if np.isfinite(p) else np.zeros_like(seen)
        scatter = [flux[window == w].std() for w in np.unique(window)]
        low, high = np.percentile(flux, [5, 95])
        span = np.ptp(seen)
        extent = span * spec.dt, seen.size / (span + 1), max(lengths) * spec.dt
        rows.append((*extent, high - low, np.mean(scatter)))
    return dict(zip(_DATA_COLUMNS, np.array(rows).T, strict=True))


def _lifetime_flag(columns: dict[str, np.ndarray], draws: Quantities) -> np.ndarray:
    """What each fitted lifetime is worth; a later rule overrides an earlier one."""
    flag = np.full(len(columns["prot"]), LifetimeFlag.MEASURED, dtype=np.int8)
    ln_life = np.log(draws.spot_lifetime)
    covariance = np.mean(
        (ln_life - ln_life.mean(1, keepdims=True)) * (draws.kappa - draws.kappa.mean(1, keepdims=True)),
        axis=1,
    )
    correlation = covariance / np.maximum(ln_life.std(1) * draws.kappa.std(1), 1e-12)
    flag[np.abs(correlation) > 0.7] = LifetimeFlag.DEGENERATE_WITH_SHEAR
    flag[columns["n_life_rot_lower"] < 1.0] = LifetimeFlag.UPPER_LIMIT
    flag[columns["spot_lifetime_upper"] > columns["baseline"] / 2] = LifetimeFlag.LOWER_LIMIT
    return flag


def _status(fit: Fit, batch: GridBatch) -> np.ndarray:
    status = np.full(len(fit.value), Status.OK, dtype=np.int8)
    status[~(np.abs(fit.left) < NOT_CONVERGED_ABOVE)] = Status.NOT_CONVERGED
    status[~np.isfinite(fit.value)] = Status.FIT_FAILED
    status[np.all(batch.y == 0, axis=1)] = Status.CONSTANT_FLUX
    return status


def _flags(columns: dict[str, np.ndarray], periods: np.ndarray) -> np.ndarray:
    prot, peq = columns["prot"], columns["peq"]

    def agrees(other: np.ndarray, factor: float = 1.0) -> np.ndarray:
        return np.abs(np.log(other * factor / prot)) < 0.15

    alias = agrees(columns["p_second"], 2.0) | agrees(columns["p_second"], 0.5)
    bits = {
        Flag.NOT_DETECTED: columns["rotating"] == 0,
        Flag.PRIOR_EDGE: (peq < periods[0] * 1.02) | (peq > periods[-1] / 1.02),
        Flag.ALIAS_POSSIBLE: alias & (columns["p_second_lnodds"] > -3),
        Flag.FEW_CYCLES: columns["baseline"] < 3 * prot,
        Flag.METHODS_DISAGREE: ~agrees(columns["p_ls"]) & ~agrees(columns["p_acf"]),
    }
    flags = np.zeros(len(prot), dtype=np.int32)
    for bit, where in bits.items():
        flags |= np.where(where, int(bit), 0).astype(np.int32)
    return flags
