"""The demo's own pieces: its recipe, its published periods, and fetching with and without a network."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spotcat.config import load_recipe
from spotcat.ingest.identity import file_identity

ROOT = Path(__file__).parents[2]
_FETCH = "import sys; sys.path.insert(0, 'workflows'); import demo; demo.fetch(demo.CACHE / 'real')"


def _fetch_offline(folder: Path) -> subprocess.CompletedProcess[str]:
    shutil.copytree(ROOT / "workflows", folder / "workflows", dirs_exist_ok=True)
    offline = {**os.environ, "PIP_NO_INDEX": "1"}
    command = [sys.executable, "-c", _FETCH]
    return subprocess.run(command, cwd=folder, env=offline, capture_output=True, text=True, check=False)


def test_the_recipe_reads_what_the_demo_makes() -> None:
    recipe = load_recipe(ROOT / "workflows/recipes/demo.toml")
    assert recipe.simulate.n_stars == 48
    assert recipe.survey.output == "runs/demo"
    assert recipe.input.files == (".cache/demo/real/*.fits", f"{recipe.simulate.folder}/*.ecsv")


def test_published_periods_name_stars_of_the_demo() -> None:
    with (ROOT / "catalogs/literature/demo_periods.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    text = (ROOT / "workflows/demo.py").read_text()
    fetched = {file_identity(line.split('"')[1]).name for line in text.splitlines() if line.endswith('.fits": (')}
    assert len(fetched) == 4
    assert {row["name"] for row in rows} < fetched
    for row in rows:
        assert 0.1 < float(row["period"]) < 50
        assert len(row["bibcode"]) == 19
        assert row["reference"].endswith(row["bibcode"][:4])


def test_without_a_network_the_demo_ends_with_one_sentence(tmp_path: Path) -> None:
    done = _fetch_offline(tmp_path)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("demo: pip could not download the sample light curves")
    assert not (tmp_path / ".cache/demo/real").exists()


@pytest.mark.real
def test_whole_files_are_not_fetched_again_and_damaged_ones_are(tmp_path: Path, real_data: Path) -> None:
    folder = tmp_path / ".cache/demo/real"
    folder.mkdir(parents=True)
    for pattern in ("kplr010002792-*", "ktwo211015853*", "ktwo211117077*", "tess*0358108509*"):
        for path in real_data.rglob(pattern):
            shutil.copyfile(path, folder / path.name)
    assert _fetch_offline(tmp_path).returncode == 0
    damaged = folder / "ktwo211117077-c04_llc.fits"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert _fetch_offline(tmp_path).returncode == 1
