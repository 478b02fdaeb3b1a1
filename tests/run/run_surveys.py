"""Tiny surveys of simulated stars, and ways to run them as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

N_STARS, N_POINTS, CHUNK = 10, 128, 4

_FIT = """
[fit]
n_period = 32
lifetimes = [3.0]
shears = [0.0]
refine_steps = 4
confirm_steps = 1
"""


def write_stars(folder: Path, seed: int = 2) -> None:
    """Stars whose spots give two harmonics, and two tables that cannot be fitted."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    time = 0.5 * np.arange(N_POINTS)
    for number in range(N_STARS):
        phase = 2 * np.pi * time / random.uniform(3, 12)
        noise = 0.002 * random.standard_normal(N_POINTS)
        flux = 1 + 0.01 * np.sin(phase) + 0.004 * np.sin(2 * phase + random.uniform(0, 6)) + noise
        _write_table(folder / f"star{number:02d}.csv", time, flux)
    _write_table(folder / "short.csv", time[:10], 1 + 0.1 * np.sin(time[:10]))
    (folder / "empty.csv").write_text("time,flux,flux_err\n")


def write_recipe(path: Path, stars: Path, output: Path, extra: str = _FIT, name: str = "tiny") -> Path:
    """A recipe for stars that `write_stars` wrote."""
    path.write_text(
        f'[survey]\nname = "{name}"\noutput = "{output}"\nseed = 1\n[input]\nfiles = ["{stars}/*.csv"]\n{extra}'
    )
    return path


def write_site(path: Path, executor: str, workers: int = 2, chunk: int = CHUNK) -> Path:
    """A site file; a survey has several chunks."""
    path.write_text(f'executor = "{executor}"\nworkers = {workers}\nchunk = {chunk}\n')
    return path


def spotcat(*arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "spotcat", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start the command in a process group of its own."""
    command = [sys.executable, "-m", "spotcat", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its relative path."""
    return {
        os.path.relpath(Path(parent) / file, folder): (Path(parent) / file).read_bytes()
        for parent, _, files in os.walk(folder)
        for file in files
    }


def _write_table(path: Path, time: np.ndarray, flux: np.ndarray) -> None:
    columns = np.column_stack([time, flux, np.full(time.size, 0.002)])
    np.savetxt(path, columns, delimiter=",", header="time,flux,flux_err", comments="")
