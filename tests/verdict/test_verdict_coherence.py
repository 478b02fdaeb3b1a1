"""Two strict frequencies are a pulsating star; harmonics, latitudes and spots that change are one rotation."""

from __future__ import annotations

import numpy as np
import pytest

from spotcat.model.grid import GridBatch
from spotcat.verdict.coherence import pulsating

DT, N = 0.05, 16384
TIME = DT * np.arange(N)


def batch(y: np.ndarray) -> GridBatch:
    mask = np.ones(N)
    mask[5000:5200] = 0
    y = (y - y.mean()) * mask + np.random.default_rng(1).normal(0, 0.1, N) * mask
    values = {name: np.zeros((1, N)) for name in GridBatch._fields}
    return GridBatch(**values | {"y": y[None], "mask": mask[None]})


def found(y: np.ndarray, prot: float, suspect: bool = True) -> bool:
    return bool(pulsating(batch(y), DT, np.array([prot]), np.array([suspect]))[0])


def waves(*frequencies: float) -> np.ndarray:
    return sum(np.sin(2 * np.pi * f * TIME + f) / (k + 1) ** 0.5 for k, f in enumerate(frequencies))


@pytest.mark.parametrize("ratio", [1.298, 2.33, 0.63, 1.71])
def test_two_strict_frequencies_are_no_rotation(ratio: float) -> None:
    assert found(waves(3.1, 3.1 * ratio), 1 / 3.1)
    assert not found(waves(3.1, 3.1 * ratio), 1 / 3.1, suspect=False)


@pytest.mark.parametrize("others", [(), (2.0, 3.0), (0.5, 1.5), (0.93, 2.05)])
def test_harmonics_and_latitudes_are_one_rotation(others: tuple[float, ...]) -> None:
    assert not found(waves(1.7, *(1.7 * other for other in others)), 1 / 1.7)


@pytest.mark.parametrize("ratio", [1.298, 2.33])
def test_frequencies_that_change_are_spots(ratio: float) -> None:
    rng = np.random.default_rng(3)
    y = np.zeros(N)
    for f in (3.1, 3.1 * ratio):
        phase = np.cumsum(rng.normal(0, 0.12, N))
        y += np.sin(2 * np.pi * f * TIME + phase)
    assert not found(y, 1 / 3.1)


def test_few_cycles_say_nothing() -> None:
    assert not found(waves(0.05, 0.065), 20.0)
