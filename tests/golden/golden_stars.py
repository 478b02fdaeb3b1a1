"""The light curves that the golden stores were made of: the same numbers anywhere, in plain tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np

PERIODS = {"golden-a": 5.0, "golden-b": 8.0}
"""Rotation period [d] of each star that can be fitted."""

N_POINTS, STEP = 128, 0.5
"""Measurements of a star, and the days between two of them."""

ERROR = 0.001
"""Error of each relative flux."""


def light_curve(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Time [d] and relative flux of a star with two harmonics and noise, seeded by its period."""
    period = PERIODS[name]
    time = STEP * np.arange(N_POINTS)
    phase = 2 * np.pi * time / period
    noise = ERROR * np.random.default_rng(int(period)).standard_normal(N_POINTS)
    return time, np.round(1 + 0.01 * np.sin(phase) + 0.003 * np.sin(2 * phase + 1) + noise, 6)


def write_tables(folder: Path) -> None:
    """A table for each star, one with too few points and one without any."""
    folder.mkdir(parents=True)
    for name in PERIODS:
        _write(folder / f"{name}.csv", *light_curve(name))
    _write(folder / "golden-short.csv", *(values[:10] for values in light_curve("golden-a")))
    (folder / "golden-empty.csv").write_text("time,flux,flux_err\n")


def _write(path: Path, time: np.ndarray, flux: np.ndarray) -> None:
    lines = [f"{day:.1f},{value:.6f},{ERROR}\n" for day, value in zip(time, flux, strict=True)]
    path.write_text("time,flux,flux_err\n" + "".join(lines))
