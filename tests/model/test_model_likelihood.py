"""Block-banded against dense, offsets marginalised against explicit ones, gradients, and the Whittle expectation."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import toeplitz

from spotcat.gp import dense
from spotcat.model.likelihood import average_information, log_likelihood, offset_columns, score
from spotcat.model.predict import predict
from spotcat.model.whittle import expected_power, negative_log_likelihood, periodogram
from spotcat.star.envelope import trapezoid_autocorrelation


class Problem(NamedTuple):
    """A gappy light curve with unequal errors and three segments, one of them short."""

    k: np.ndarray
    variance: np.ndarray
    y: np.ndarray
    mask: np.ndarray
    segment: np.ndarray

    def dense(self, k: np.ndarray, variance: np.ndarray, y: np.ndarray) -> float:
        """The same log-likelihood from explicit matrices."""
        seen = self.mask > 0
        c = toeplitz(k)[np.ix_(seen, seen)] + np.diag(variance[seen])
        a = (self.segment[seen][:, None] == np.unique(self.segment[seen])[None, :]).astype(float)
        inverse = np.linalg.inv(c)
        g, b = a.T @ inverse @ a, a.T @ inverse @ y[seen]
        chi2 = y[seen] @ inverse @ y[seen] - b @ np.linalg.solve(g, b)
        log_dets = np.linalg.slogdet(c)[1] + np.linalg.slogdet(g)[1]
        return -0.5 * (chi2 + log_dets + (seen.sum() - a.shape[1]) * np.log(2 * np.pi))

    def ours(self, k: jax.Array, variance: jax.Array, y: jax.Array, block: int) -> jax.Array:
        offsets = offset_columns(jnp.asarray(self.segment), jnp.asarray(self.mask), 5)
        return log_likelihood(k, variance, y, jnp.asarray(self.mask), offsets, block)


@jax.tree_util.register_dataclass
@dataclass
class Tabulated:
    """A term without white noise whose covariance is a table at whole steps of half a day."""

    k: jax.Array

    def covariance(self, lag: jax.Array) -> jax.Array:
        return self.k[jnp.round(lag / 0.5).astype(int)]

    def white(self) -> float:
        return 0.0


@pytest.fixture
def problem() -> Problem:
    rng = np.random.default_rng(0)
    m = 256
    lag = np.arange(m) * 0.5
    k = np.asarray(trapezoid_autocorrelation(lag, 10.0, 5.0)) * np.cos(lag) / 12
    mask = (rng.random(m) > 0.1).astype(float)
    mask[60:80] = 0
    return Problem(k, rng.uniform(0.1, 0.5, m), rng.normal(size=m) * mask, mask, np.digitize(np.arange(m), [100, 107]))


@pytest.mark.parametrize("block", [256, 128, 96, 64])
def test_block_banded_equals_dense(problem: Problem, block: int) -> None:
    want = problem.dense(problem.k, problem.variance, problem.y)
    got = problem.ours(problem.k, problem.variance, problem.y, block)
    assert float(got) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("block", [256, 64])
def test_derivatives_equal_finite_differences(problem: Problem, block: int) -> None:
    arguments = [problem.k, problem.variance, problem.y]
    slopes = jax.grad(lambda *a: problem.ours(*a, block), argnums=(0, 1, 2))(*map(jnp.asarray, arguments))
    rng = np.random.default_rng(1)
    for which, slope in enumerate(slopes):
        direction = rng.normal(size=256) * (problem.mask if which else np.arange(256) < 40)
        ends = []
        for sign in (1, -1):
            moved = list(arguments)
            moved[which] = moved[which] + sign * 1e-6 * direction
            ends.append(problem.dense(*moved))
        assert float(slope @ direction) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


@pytest.mark.parametrize("block", [256, 96, 64])
def test_average_information_equals_its_definition(problem: Problem, block: int) -> None:
    seen = problem.mask > 0
    c = toeplitz(problem.k)[np.ix_(seen, seen)] + np.diag(problem.variance[seen])
    a = (problem.segment[seen][:, None] == np.unique(problem.segment[seen])[None, :]).astype(float)
    inverse = np.linalg.inv(c)
    p = inverse - inverse @ a @ np.linalg.solve(a.T @ inverse @ a, a.T @ inverse)
    rng = np.random.default_rng(4)
    slopes = rng.normal(size=(3, 256)) * (np.arange(256) < 40)
    noise = rng.uniform(size=(3, 256))
    moved = [
        (toeplitz(s)[np.ix_(seen, seen)] + np.diag(v[seen])) @ p @ problem.y[seen]
        for s, v in zip(slopes, noise, strict=True)
    ]
    want = 0.5 * np.array(moved) @ p @ np.array(moved).T
    offsets = offset_columns(jnp.asarray(problem.segment), jnp.asarray(problem.mask), 5)
    mask = jnp.asarray(problem.mask)
    at = score(problem.k, problem.variance, problem.y, mask, offsets, block)
    np.testing.assert_allclose(average_information(at, slopes, noise, mask), want, rtol=1e-8)


def test_an_offset_of_a_segment_changes_nothing(problem: Problem) -> None:
    shifted = problem.y + 7.0 * (problem.segment == 1) - 3.0
    same = problem.ours(problem.k, problem.variance, shifted, 64)
    assert float(same) == pytest.approx(float(problem.ours(problem.k, problem.variance, problem.y, 64)), abs=1e-7)


def test_padding_changes_nothing(problem: Problem) -> None:
    pad = 64
    longer = Problem(
        np.concatenate([problem.k, np.zeros(pad)]),
        np.concatenate([problem.variance, np.ones(pad)]),
        np.concatenate([problem.y, np.zeros(pad)]),
        np.concatenate([problem.mask, np.zeros(pad)]),
        np.concatenate([problem.segment, np.zeros(pad, int)]),
    )
    got = longer.ours(longer.k, longer.variance, longer.y, 64)
    assert float(got) == pytest.approx(problem.dense(problem.k, problem.variance, problem.y), rel=1e-12)


def test_a_covariance_that_is_not_positive_definite_gives_nan(problem: Problem) -> None:
    assert np.isnan(problem.ours(-10 * problem.k, problem.variance, problem.y, 64))


def test_prediction_equals_explicit_conditioning(problem: Problem) -> None:
    offsets = offset_columns(jnp.asarray(problem.segment), jnp.asarray(problem.mask), 3)
    got = predict(problem.k, problem.variance, problem.y, jnp.asarray(problem.mask), offsets)
    seen = problem.mask > 0
    signal = toeplitz(problem.k)
    inverse = np.linalg.inv(signal[np.ix_(seen, seen)] + np.diag(problem.variance[seen]))
    a = np.asarray(offsets)[seen]
    beta = np.linalg.solve(a.T @ inverse @ a, a.T @ inverse @ problem.y[seen])
    np.testing.assert_allclose(got.mean, signal[:, seen] @ inverse @ (problem.y[seen] - a @ beta), atol=1e-9)
    variance = problem.k[0] - np.einsum("ij,jk,ik->i", signal[:, seen], inverse, signal[:, seen])
    np.testing.assert_allclose(got.sd**2, variance, atol=1e-9)


def without_mean(kind: str, m: int) -> np.ndarray:
    """Columns of shape (m, v) that sum to exactly zero."""
    slope, sign = np.arange(m) - (m - 1) / 2, np.where(np.arange(m) % 2, 1.0, -1.0)
    return {"slope": slope[:, None], "sign": sign[:, None], "both": np.stack([slope, sign], axis=1)}[kind] / m


@pytest.mark.parametrize("kind", ["slope", "sign", "both"])
@pytest.mark.parametrize("segments", [1, 4])
def test_columns_without_mean_are_marginalised_and_drawn_as_generalised_least_squares_has_them(
    problem: Problem, kind: str, segments: int
) -> None:
    m = 256
    segment = np.arange(m) * segments // m
    design = np.concatenate([without_mean(kind, m // segments)] * segments)
    columns = offset_columns(jnp.asarray(segment), jnp.ones(m), segments + 2, jnp.asarray(design))
    used = [i for i in range(columns.shape[1]) if np.asarray(columns)[:, i].any()]
    assert len(used) == segments * (1 + design.shape[1]) < columns.shape[1]
    trend = np.random.default_rng(9).normal(size=columns.shape[1]) * 30
    y = problem.y + np.asarray(columns) @ trend

    a = np.asarray(columns)[:, used]
    covariance = toeplitz(problem.k) + np.diag(problem.variance)
    inverse = np.linalg.inv(covariance)
    beta = np.linalg.solve(a.T @ inverse @ a, a.T @ inverse @ y)
    want = toeplitz(problem.k) @ inverse @ (y - a @ beta)

    got = predict(problem.k, problem.variance, y, jnp.ones(m), columns)
    np.testing.assert_allclose(got.offset[np.array(used)], beta, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(got.mean, want, atol=1e-8)
    unused = np.delete(np.asarray(got.offset), used)
    np.testing.assert_array_equal(unused, 0.0)

    # The same through the solver of any sampling: best offset of the first column, and the conditional mean.
    lag, place = dense.distinct_lags(np.arange(m) * 0.5, np.arange(m) * 0.5)
    data = dense.Observations(lag, place, y, problem.variance, np.ones(m), np.ones(m), np.asarray(columns))
    found = dense.posterior(Tabulated(jnp.asarray(problem.k)), data, lag, (place, place), jnp.ones(m))
    np.testing.assert_allclose(found.mean, beta[0] + want, atol=1e-8)


def test_expected_periodogram_is_the_mean_periodogram(problem: Problem) -> None:
    rng = np.random.default_rng(2)
    factor = np.linalg.cholesky(toeplitz(problem.k) + 1e-9 * np.eye(256))
    draws = (factor @ rng.normal(size=(256, 20_000))).T
    seen = periodogram(draws[:, None], np.broadcast_to(problem.mask, draws[:, None].shape))
    ratio = np.asarray(seen.power.mean(0) / expected_power(problem.k, seen.window[0]))
    assert np.abs(ratio - 1).max() < 5 / np.sqrt(20_000)
    at_truth = negative_log_likelihood(expected_power(problem.k, seen.window[0]), seen).mean()
    for factor in (0.5, 2.0):
        assert negative_log_likelihood(expected_power(factor * problem.k, seen.window[0]), seen).mean() > at_truth


@pytest.mark.parametrize("threads", ["1", "2"])
def test_batched_gradient_does_not_hang_on_few_threads(threads: str) -> None:
    """Some releases of JAX deadlock here when their thread pool has few threads; workers have one."""
    code = """
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)
from spotcat.model.likelihood import log_likelihood
m = 512
k = jnp.asarray(np.exp(-np.arange(m) / 20.0) * (np.arange(m) < 128))
y = jnp.asarray(np.random.default_rng(0).normal(size=(8, m)))
one = lambda y: jax.grad(lambda k: log_likelihood(k, jnp.ones(m), y, jnp.ones(m), jnp.ones((m, 1)), 128))(k)
print(bool(jnp.isfinite(jax.jit(jax.vmap(one))(y)).all()))
"""
    environment = os.environ | {"NPROC": threads}
    done = subprocess.run([sys.executable, "-c", code], env=environment, timeout=120, capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr
