"""Slopes and cotrending vectors are marginalised: whatever of them is in the flux changes nothing."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fit_samples import Star, simulate

from spotcat.config import FitConfig
from spotcat.fit.buckets import choose_bucket
from spotcat.fit.engine import fit_stars
from spotcat.model.design import segment_design
from spotcat.model.grid import Grid, grid_star
from spotcat.model.likelihood import log_likelihood, offset_columns


class Trended(NamedTuple):
    """A light curve with vectors beside it."""

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    segment: np.ndarray
    vectors: np.ndarray


def trended(star: Star, rng: np.random.Generator, strength: float) -> Trended:
    """Two segments, each with so much of a slope and of a slow wave that belongs to the detector."""
    segment = (star.time > 70).astype(int)
    vectors = np.stack([star.time - star.time.mean(), np.sin(star.time / 25.0)], axis=1)
    vectors /= vectors.std(axis=0)
    amount = rng.normal(size=(2, 2)) * strength
    return Trended(star.time, star.flux + (vectors * amount[segment]).sum(axis=1), star.flux_err, segment, vectors)


def test_columns_are_orthonormal_within_their_segment_and_useless_ones_are_zero() -> None:
    rng = np.random.default_rng(1)
    segment, mask = np.repeat([0, 1, 2], [60, 60, 12]), (rng.random(132) < 0.9).astype(float)
    columns = rng.normal(size=(132, 3))
    columns[segment == 1, 2] = 2 * columns[segment == 1, 0] + 5.0
    design = segment_design(columns, segment, mask)
    assert not design[(mask == 0) | (segment == 2)].any()
    for number, rank in ((0, 3), (1, 2)):
        own = design[segment == number]
        np.testing.assert_allclose(own.T @ own, np.diag([1.0] * rank + [0.0] * (3 - rank)), atol=1e-12)
        np.testing.assert_allclose(own.sum(axis=0), 0, atol=1e-12)


def test_the_likelihood_is_that_of_dense_algebra_with_a_vague_prior_on_every_coefficient() -> None:
    rng = np.random.default_rng(2)
    star = grid_star(trended(simulate(rng, m=80), rng, 0.0), Grid(80, 0.5))
    k = 0.7 * np.exp(-np.arange(80) / 6.0) * np.cos(np.arange(80) / 3)
    variance = 0.2 * np.asarray(star.relative_variance)
    with jax.enable_x64(True):
        columns = offset_columns(jnp.asarray(star.segment), jnp.asarray(star.mask), 3, jnp.asarray(star.design))
        arrays = (jnp.asarray(a) for a in (k, variance, star.y, star.mask))
        got = float(log_likelihood(*arrays, columns, 80))
    seen = np.flatnonzero(star.mask)
    a = np.asarray(columns)[seen]
    a = a[:, (a**2).sum(axis=0) > 0]
    wide = 1e7
    lags = np.abs(seen[:, None] - seen[None, :])
    full = k[lags] + np.diag(variance[seen]) + wide * a @ a.T
    sign, log_det = np.linalg.slogdet(full)
    y = star.y[seen]
    vague = -0.5 * (y @ np.linalg.solve(full, y) + log_det + seen.size * np.log(2 * np.pi))
    assert sign == 1
    # The flat prior is the vague one without its normalisation.
    assert got == pytest.approx(vague + 0.5 * a.shape[1] * np.log(2 * np.pi * wide), abs=1e-3)


@pytest.mark.slow
def test_a_star_under_strong_trends_has_the_period_that_it_has_without() -> None:
    rng = np.random.default_rng(3)
    star = simulate(rng, periods=(6.0, 9.0))
    spec = choose_bucket(149.5, 0.5, 2, FitConfig())
    calm, stormy, bare = (trended(star, np.random.default_rng(4), strength) for strength in (0.0, 0.2, 0.2))
    bare = bare._replace(vectors=np.empty((len(star.time), 0)))
    found = [fit_stars([each], spec, FitConfig()).columns for each in (calm, stormy, bare)]
    assert found[1]["prot"] == pytest.approx(found[0]["prot"], rel=1e-6)
    assert found[1]["lnl_rotation"] == pytest.approx(found[0]["lnl_rotation"], rel=1e-4)
    assert found[0]["prot"] == pytest.approx(star.photometric, rel=0.1)
    assert found[2]["lnl_rotation"] < 0.5 * found[0]["lnl_rotation"]
