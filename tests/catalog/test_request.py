"""What the command line asks of a catalog: presets, all columns, run folders, numbers of a mission."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spotcat
from spotcat.catalog.finalise import finalise
from spotcat.catalog.presets import PRESETS
from spotcat.catalog.query import located, open_catalog
from spotcat.catalog.request import Request, answer
from spotcat.catalog.schema import COLUMNS
from spotcat.catalog.validate import validate
from spotcat.catalog.writer import write_part
from spotcat.status import Flag, InputError, Verdict

FLAGS = [0, 0, Flag.ALIAS_POSSIBLE, 0, Flag.METHODS_DISAGREE]
VERDICTS = [Verdict.ROTATOR, Verdict.PROBABLE, Verdict.ROTATOR, Verdict.ROTATOR, Verdict.ROTATOR]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with the catalog of five stars."""
    folder = tmp_path_factory.mktemp("requests") / "run"
    n = len(FLAGS)
    columns = {
        "star_id": np.array([*(1_000_000_000_000 + np.arange(3) + 10), 3_000_000_000_012, 77]),
        "name": np.array(["KIC 10", "KIC 11", "KIC 12", "TIC 12", "field star"], object),
        "mission": np.array(["Kepler"] * 3 + ["TESS", "table"], object),
        "mission_id": np.array([10, 11, 12, 12, -1]),
        "prot": np.array([5.0, 6.0, 7.0, 8.0, 9.0]),
        "prot_lower": np.array([4.5, 5.5, 6.5, np.nan, 8.0]),
        "prot_upper": np.array([6.0, 6.5, 7.5, 8.5, 12.0]),
        "verdict": np.array(VERDICTS, np.int8),
        "flags": np.array([int(flag) for flag in FLAGS], np.int32),
        "reliability": np.linspace(0.9, 0.99, n),
        "status": np.zeros(n, np.int8),
        "ra": np.full(n, 10.0),
        "dec": np.arange(n) * 0.01,
    }
    write_part(folder / "part", columns, {})
    finalise([folder / "part"], folder / "catalog.zarr", {"spotcat_version": "0.0.1"})
    (folder / "recipe.toml").write_text("")
    return folder


def _names(path: Path, **asked: object) -> list[str]:
    return list(answer(path, replace(Request(), **asked)).column("name"))


def test_gyro_gives_periods_with_both_errors(run: Path) -> None:
    rows = answer(run, Request(preset="gyro"))
    assert rows.names == list(PRESETS["gyro"].columns)
    # The probable one, the ambiguous one and the one without an interval stay out.
    assert rows.column("name").tolist() == ["field star", "KIC 10"]
    assert rows.column("prot_minus").tolist() == [1.0, 0.5]
    assert rows.column("prot_plus").tolist() == [3.0, 1.0]
    assert rows.columns["prot_plus"].unit == "d"


def test_a_preset_narrows_and_is_narrowed(run: Path) -> None:
    assert _names(run, preset="gyro", expression="prot < 6 or prot > 100") == ["KIC 10"]
    assert _names(run, preset="gyro", threshold=0.95) == ["field star"]
    assert _names(run, preset="gyro", sort="prot_plus") == ["KIC 10", "field star"]
    assert _names(run, preset="gyro", cone="10,0,0.005") == ["KIC 10"]
    assert _names(run, preset="gyro", star="77") == ["field star"]
    assert answer(run, Request(preset="gyro", columns="name,prot_plus")).names == ["name", "prot_plus"]


def test_errors_can_be_asked_for_without_a_preset(run: Path) -> None:
    assert _names(run, expression="prot_plus > 1.5") == ["field star"]
    rows = open_catalog(run).with_errors().query("prot_minus < 0.6", ["prot_minus"])
    assert rows.column("prot_minus").tolist() == [0.5, 0.5, 0.5]
    few = open_catalog(run).select(["name", "prot"])
    assert few.with_errors().names == ["name", "prot"]


def test_an_unknown_preset_is_refused(run: Path) -> None:
    with pytest.raises(InputError, match="--preset has no 'gryo'; did you mean 'gyro'"):
        answer(run, Request(preset="gryo"))


def test_a_preset_says_what_a_catalog_lacks(run: Path, tmp_path: Path) -> None:
    """As one has that was written before there was such a column."""
    path = Path(shutil.copytree(run / "catalog.zarr", tmp_path / "catalog.zarr"))
    stored = json.loads((path / "zarr.json").read_text())
    stored["attributes"]["columns"] = [n for n in stored["attributes"]["columns"] if n not in ("verdict", "prot_lower")]
    (path / "zarr.json").write_text(json.dumps(stored))
    with pytest.raises(InputError, match="gyro needs the columns verdict, prot_lower, which this catalog lacks"):
        answer(path, Request(preset="gyro"))
    assert len(answer(path, Request(printed=True))) == len(FLAGS)


def test_all_columns_are_all_of_the_catalog(run: Path) -> None:
    every = [column.name for column in COLUMNS]
    assert answer(run, Request(columns="all", printed=True)).names == every
    assert answer(run, Request(columns=" all ", cone="10,0,1")).names == [*every, "separation"]
    with pytest.raises(InputError, match="unknown column 'all'"):
        answer(run, Request(columns="all,prot"))


def test_a_run_folder_stands_for_its_catalog(run: Path, tmp_path: Path) -> None:
    assert located(run) == run / "catalog.zarr"
    assert located(run / "catalog.zarr") == run / "catalog.zarr"
    assert located("https://somewhere/run") == "https://somewhere/run"
    assert len(spotcat.open_catalog(str(run))) == len(FLAGS)
    assert validate(run).problems == []
    (tmp_path / "recipe.toml").write_text("")
    with pytest.raises(InputError, match=r"this run has no catalog yet; `spotcat status .*` says how far it is"):
        spotcat.open_catalog(tmp_path)


@pytest.mark.parametrize(("asked", "name"), [("11", "KIC 11"), (" 10 ", "KIC 10"), ("77", "field star")])
def test_a_star_is_found_by_its_number_in_the_mission(run: Path, asked: str, name: str) -> None:
    assert _names(run, star=asked) == [name]
    assert _names(run, star=asked, cone="10,0,1") == [name]
    assert open_catalog(run).star(int(asked)).column("name").tolist() == [name]


def test_a_number_of_two_missions_is_refused(run: Path) -> None:
    with pytest.raises(InputError, match="2 stars have the number 12: 'KIC 12', 'TIC 12'; give the name"):
        answer(run, Request(star="12"))
    with pytest.raises(InputError, match="no star '13' in the catalog"):
        answer(run, Request(star="13"))
