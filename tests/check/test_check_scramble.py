"""Scrambled light curves: no coherence, no artificial steps, everything else as it was."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.timeseries import LombScargle
from semireal_samples import FLARE, sector

from spotcat.check.backgrounds import Piece
from spotcat.check.scramble import point_scatter, scramble


def _scrambled(piece: Piece, seed: int) -> Piece:
    return scramble(piece, np.random.default_rng(seed)).piece


def _power(piece: Piece) -> float:
    frequency = np.arange(1 / 13, 4, 1 / 27 / 8)
    return float(LombScargle(piece.time, piece.flux).power(frequency).max())


@pytest.mark.parametrize("period", [0.3, 1.0, 2.0, 4.0])
def test_a_period_is_lost_whatever_its_length(period: float) -> None:
    piece = sector(1, slow=0)
    wave = 5e-3 * np.sin(2 * np.pi * piece.time / period)
    piece = piece._replace(flux=1 + wave + 1e-3 * np.random.default_rng(0).standard_normal(wave.size))
    assert _power(piece) > 0.9
    powers = [_power(_scrambled(piece, seed)) for seed in range(10)]
    assert np.median(powers) < 0.45
    assert max(powers) < 0.7


def test_times_errors_levels_and_noise_stay() -> None:
    piece = sector(2)
    for seed in range(5):
        other = _scrambled(piece, seed)
        np.testing.assert_array_equal(other.time, piece.time)
        np.testing.assert_array_equal(other.segment, piece.segment)
        np.testing.assert_allclose(np.sort(other.flux_err), np.sort(piece.flux_err), rtol=0.01)
        assert other.flux.std() == pytest.approx(piece.flux.std(), rel=0.15)
        assert point_scatter(other) == pytest.approx(point_scatter(piece), rel=0.05)
        # The flare is where the sign and the order of its block put it.
        assert np.abs(other.flux - 1).max() == pytest.approx(piece.flux[FLARE].max() - 1, rel=0.15)


def test_errors_stay_with_their_measurements() -> None:
    piece = sector(3)
    piece = piece._replace(flux=1 + 1e-4 * np.random.default_rng(0).standard_normal(piece.time.size))
    bad = np.arange(200, 240)
    noise = 0.05 * np.random.default_rng(1).standard_normal(bad.size)
    piece.flux[bad] += noise
    piece.flux_err[:] = 1e-4
    piece.flux_err[bad] = 0.05
    other = _scrambled(piece, 4)
    large = other.flux_err > 0.01
    assert large.sum() == bad.size
    assert np.abs(other.flux[large] - 1).std() > 50 * np.abs(other.flux[~large] - 1).std()


@pytest.mark.parametrize("slow", [0.0, 2e-3, 1e-2])
def test_blocks_are_joined_without_steps(slow: float) -> None:
    """The level changes at joints no more than the noise of its medians and the scatter from point to point allow."""
    piece = sector(5, slow=slow)
    for seed in range(5):
        other, joints = scramble(piece, np.random.default_rng(seed))
        steps = [abs(np.median(other.flux[j : j + 3]) - np.median(other.flux[j - 3 : j])) for j in joints]
        assert len(steps) >= 20
        assert max(steps) <= 1.5 * point_scatter(piece)


def test_a_drift_that_no_block_continues_is_joined_by_tilting() -> None:
    """A staircase: every block has a level of its own, and none begins where another ends."""
    piece = sector(6, slow=0)
    stairs = 0.1 * np.random.default_rng(7).permutation(30)[np.floor(piece.time - piece.time[0]).astype(int)]
    flux = 1 + stairs + 1e-5 * np.random.default_rng(8).standard_normal(stairs.size)
    other, joints = scramble(piece._replace(flux=flux), np.random.default_rng(0))
    at_joints = np.abs(np.diff(other.flux))[joints - 1]
    # Blocks are cut elsewhere than the stairs, whose own steps stay.
    assert np.median(at_joints) < 0.01
    assert np.abs(np.diff(other.flux)).max() > 0.1


def test_each_seed_is_another_curve_and_the_same_seed_the_same() -> None:
    piece = sector(9)
    drawn = [_scrambled(piece, seed).flux for seed in range(50)]
    assert len({flux.tobytes() for flux in drawn}) == 50
    np.testing.assert_array_equal(_scrambled(piece, 7).flux, drawn[7])
    alike = [abs(np.corrcoef(drawn[0], other)[0, 1]) for other in drawn[1:]]
    assert np.median(alike) < 0.3


def test_curves_of_a_few_measurements_are_scrambled_too() -> None:
    for n in (2, 3, 10):
        time = 1.0 + CADENCES[:n]
        piece = Piece(time, np.linspace(1, 1.1, n), np.full(n, 0.01), np.zeros(n, int))
        assert np.isfinite(_scrambled(piece, 0).flux).all()


CADENCES = np.array([0.0, 0.02, 0.04, 0.06, 5.0, 5.02, 5.04, 9.0, 9.5, 12.0])
