"""Made-up stars for the catalog's tests; every value follows from the star's id, not from its chunk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spotcat.catalog.schema import COLUMNS
from spotcat.catalog.writer import write_part
from spotcat.status import Flag, Status

N_PERIOD = 7
N_PARAMETER = 3


def columns(ids: Sequence[int]) -> dict[str, np.ndarray]:
    """Every column; each third star has no fit."""
    ids = list(ids)
    lost = np.array([number % 3 == 2 for number in ids], dtype=bool)
    found: dict[str, np.ndarray] = {}
    for place, column in enumerate(COLUMNS):
        if column.dtype in ("f4", "f8"):
            values = np.array([np.random.default_rng([number, place]).lognormal(2, 1) for number in ids])
            found[column.name] = np.where(lost, np.nan, values)
    found["star_id"] = np.array(ids, dtype=np.int64)
    found["name"] = np.array([f"KIC {number}" for number in ids])
    found["mission"] = np.array(["Kepler" if number % 2 else "TESS" for number in ids])
    found["reason"] = np.where(lost, Status.FEW_POINTS.words, "")
    found["status"] = np.where(lost, Status.FEW_POINTS, Status.OK)
    found["flags"] = np.array([int(Flag(number % 8)) for number in ids], dtype=np.int64)
    found["n_points"] = 100 + found["star_id"] % 50
    return found


def arrays(ids: Sequence[int]) -> dict[str, np.ndarray]:
    """The arrays beside the columns."""
    random = [np.random.default_rng(number) for number in ids]
    return {
        "gp_periodogram": np.array([one.normal(size=N_PERIOD) for one in random]).reshape(-1, N_PERIOD),
        "gp_period": np.array([one.uniform(1, 9, N_PERIOD) for one in random]).reshape(-1, N_PERIOD),
        "outlier_time": np.full((len(random), 64), np.nan),
        "fit_vector": np.array([one.normal(size=N_PARAMETER) for one in random]).reshape(-1, N_PARAMETER),
    }


def write_parts(folder: Path, chunks: Sequence[Sequence[int]]) -> list[Path]:
    """One part for each chunk of ids, in ``folder/parts/c0000`` and so on."""
    paths = []
    for number, ids in enumerate(chunks):
        paths.append(folder / "parts" / f"c{number:04d}")
        write_part(paths[-1], columns(ids), arrays(ids))
    return paths


def content(folder: Path) -> dict[str, bytes]:
    """Every file under a folder by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
