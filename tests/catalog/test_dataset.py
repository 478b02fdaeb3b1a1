"""The catalog as an xarray dataset: what is read, and what other programs can write of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from catalog_samples import arrays, columns

from spotcat.catalog.query import open_catalog
from spotcat.catalog.schema import ARRAYS, COLUMNS, Column
from spotcat.catalog.selection import Catalog
from spotcat.catalog.store import Held

N = 20


@dataclass
class Watched:
    """A column in memory that remembers which of its rows were read."""

    held: Held
    read_rows: list[Any] = field(default_factory=list)

    @property
    def column(self) -> Column:
        return self.held.column

    @property
    def shape(self) -> tuple[int, ...]:
        return self.held.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.held.dtype

    def read(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        self.read_rows.append(rows)
        return self.held.read(rows)


@pytest.fixture
def watched() -> dict[str, Watched]:
    about = {column.name: column for column in (*COLUMNS, *ARRAYS)}
    given = columns(range(N)) | arrays(range(N))
    return {
        name: Watched(Held(about[name], np.array(given[name], object if about[name].dtype == "str" else None)))
        for name in ("star_id", "name", "prot", "flags", "gp_period")
    }


def _rows_read(watched: dict[str, Watched]) -> dict[str, list[int]]:
    found = {name: [sorted(np.arange(N)[rows].tolist()) for rows in one.read_rows] for name, one in watched.items()}
    return {name: rows[0] for name, rows in found.items() if rows}


@pytest.mark.parametrize(
    ("ask", "read"),
    [
        (lambda d: d, {}),
        (lambda d: d.isel(star=slice(3, 5)), {}),
        (lambda d: d[["prot", "name"]].isel(star=[4, 2]), {}),
        (lambda d: d["prot"].isel(star=[7, 1]).values, {"prot": [1, 7]}),
        (lambda d: d.isel(star=slice(10, 2, -3))["name"].values, {"name": [4, 7, 10]}),
        (lambda d: d["gp_period"][2, 1:3].values, {"gp_period": [2]}),
        (lambda d: d["gp_period"].isel(star=[3, 9], period=[0, 2]).values, {"gp_period": [3, 9]}),
        (lambda d: d["name"].isel(star=5).item(), {"name": [5]}),
        (lambda d: d["flags"].isel(star=xr.DataArray([[1, 2], [3, 4]])).values, {"flags": [1, 2, 3, 4]}),
    ],
)
def test_only_what_is_used_is_read(watched: dict[str, Watched], ask: Any, read: dict[str, list[int]]) -> None:
    dataset = Catalog(watched, {}).dataset
    found = ask(dataset)
    assert _rows_read(watched) == read
    if isinstance(found, xr.Dataset):
        return
    whole = Catalog({name: one.held for name, one in watched.items()}, {}).dataset.load()
    np.testing.assert_array_equal(found, ask(whole))


def test_what_was_read_is_kept(watched: dict[str, Watched]) -> None:
    dataset = Catalog(watched, {}).dataset
    for _ in range(3):
        assert dataset["prot"].values.size == N
    assert len(watched["prot"].read_rows) == 1
    assert not watched["name"].read_rows


ATTRIBUTES = {
    "survey": "Ω",
    "seed": 7,
    "share": 0.5,
    "numbers": [1, 2],
    "none": None,
    "yes": True,
    "spots": {"envelope": ["trapezoid"]},
    "fit_parameters": ["a", "b", "c"],
    "mixed": [1, "a", None],
    "empty": [],
    "truths": [True, False],
}


def test_netcdf_takes_the_whole(finished: Path, tmp_path: Path) -> None:
    catalog = open_catalog(finished)
    dataset = Catalog(catalog._sources, catalog.attrs | ATTRIBUTES).dataset
    for attrs in (dataset.attrs, *(variable.attrs for variable in dataset.variables.values())):
        for value in attrs.values():
            parts = value if isinstance(value, list) else [value]
            assert all(isinstance(part, str | int | float) and not isinstance(part, bool) for part in parts)
    dataset.load().to_netcdf(tmp_path / "stars.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "stars.nc", engine="scipy") as back:
        assert back.attrs["survey"] == "Ω" and back.attrs["seed"] == 7
        for name in ("none", "yes", "spots", "fit_parameters", "mixed", "empty", "truths"):
            assert json.loads(back.attrs[name]) == ATTRIBUTES[name]
        assert back["name"].values.tolist() == catalog.column("name").tolist()
        np.testing.assert_array_equal(back["prot"], catalog.column("prot"))
        assert set(back.data_vars) == set(catalog.columns)
    dataset.load().to_zarr(tmp_path / "stars.zarr", zarr_format=2)
