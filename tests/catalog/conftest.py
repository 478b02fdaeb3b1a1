from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from catalog_samples import write_parts

from spotcat.catalog.finalise import finalise
from spotcat.catalog.query import open_catalog
from spotcat.catalog.selection import Catalog


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of twenty stars from three parts; to be read only."""
    folder = tmp_path_factory.mktemp("finished")
    parts = write_parts(folder, [range(8, 20), range(5), range(5, 8)])
    finalise(parts, folder / "catalog.zarr", {"survey": "sample", "fit_parameters": ["a", "b", "c"]})
    return folder / "catalog.zarr"


@pytest.fixture
def catalog_path(finished: Path, tmp_path: Path) -> Path:
    """A copy of the catalog that a test may damage."""
    return Path(shutil.copytree(finished, tmp_path / "catalog.zarr"))


@pytest.fixture
def catalog(finished: Path) -> Catalog:
    return open_catalog(finished)
