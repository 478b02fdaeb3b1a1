"""Failures of the machine, which end a run, and of stars, which can be tried again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from run_surveys import content, spotcat, write_recipe, write_site

from spotcat.catalog.ledger import Ledger
from spotcat.catalog.writer import read_part, write_part
from spotcat.config import Site, load_recipe
from spotcat.run.folder import RunFolder
from spotcat.run.stages import run_survey
from spotcat.run.survey import load_work
from spotcat.status import Status

SERIAL = Site("serial")


def _fail(run: Path, chunk: str, rows: list[int]) -> None:
    """Let a finished chunk look as if the fit of some of its stars had ended its process."""
    folder = RunFolder(run)
    work = load_work(folder, load_recipe(folder.recipe))
    part = read_part(work.ledger.part(chunk))
    part["status"][rows], part["prot"][rows] = Status.FIT_FAILED, np.nan
    part["reason"][rows] = "the fit ended its process every time"
    arrays = {name: part.pop(name) for name in list(part) if part[name].ndim > 1}
    checksum = write_part(work.ledger.part(chunk), part, arrays)
    work.ledger.record(chunk, dict(work.done[chunk].stars), checksum, 1.0)


def test_stars_that_failed_are_done_again_and_no_other(tmp_path: Path, stars: Path) -> None:
    # Stars that are not fitted travel the same way, and need no compiled programs.
    text = "[fit]\nmin_points = 1000\n"
    recipe = load_recipe(write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run", text))
    run, ledger = tmp_path / "run", Ledger(tmp_path / "run" / "ledger", {})
    run_survey(recipe, SERIAL)
    before, entries = content(run / "catalog.zarr"), content(ledger.folder)
    (chunk,) = [path.stem for path in ledger.folder.iterdir()]
    _fail(run, chunk, [1, 3])
    assert run_survey(recipe, SERIAL).statuses["fit_failed"] == 2
    # As it is, a run that failed is finished.
    assert run_survey(recipe, SERIAL).statuses["fit_failed"] == 2
    assert "fit_failed" not in run_survey(recipe, SERIAL, retry=True).statuses
    assert content(run / "catalog.zarr") == before
    # Where nothing failed nothing is done again.
    times = {path: path.stat().st_mtime_ns for path in run.rglob("*.zip")}
    run_survey(recipe, SERIAL, retry=True)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*.zip")} == times
    assert content(ledger.folder).keys() == entries.keys()


@pytest.mark.slow
def test_a_retry_ends_in_the_bytes_of_a_run_that_nothing_disturbed(
    tmp_path: Path, stars: Path, undisturbed: Path, serial: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(undisturbed, run)
    recipe = write_recipe(tmp_path / "tiny.toml", stars, run)
    kept = (run / "ledger" / "chunk-00000.json").stat().st_mtime_ns
    _fail(run, "chunk-00001", [0, 2])
    done = spotcat("run", recipe, "--site", serial)
    assert "2 fit_failed" in done.stdout
    status = spotcat("status", run).stdout
    assert status == "tiny: finished\n"
    shared = spotcat("run", recipe, "--share", "1/2", "--retry-failed")
    assert (shared.returncode, "--retry-failed" in shared.stderr) == (2, True)
    done = spotcat("run", recipe, "--site", serial, "--retry-failed")
    assert done.returncode == 0, done.stderr
    assert "retry: the fit of 2 stars failed; 1 chunks are fitted again" in done.stderr
    assert content(run / "catalog.zarr") == content(undisturbed / "catalog.zarr")
    assert (run / "ledger" / "chunk-00000.json").stat().st_mtime_ns == kept


@pytest.mark.parametrize("executor", ["serial", "local"])
def test_a_site_with_gpus_that_nobody_sees_ends_the_run_and_blames_no_star(
    tmp_path: Path, stars: Path, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    recipe = write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run")
    site = write_site(tmp_path / "site.toml", executor)
    site.write_text(site.read_text() + 'platform = "cuda"\n')
    # As where a job was given GPUs and CUDA is not installed.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    done = spotcat("run", recipe, "--site", site)
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"spotcat: {os.uname().nodename}: JAX cannot compute on cuda (")
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run" / "ledger").glob("*"))
    assert not (tmp_path / "run" / "catalog.zarr").exists()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (
            "raise ImportError('libcudart.so.12: cannot open shared object file')",
            "cannot load the fit (ImportError: lib",
        ),
        ("import os\nos._exit(7)", "worker processes end when they load the fit, before any star"),
    ],
)
def test_an_installation_that_cannot_load_jax_ends_the_run_and_blames_no_star(
    tmp_path: Path, stars: Path, local: Path, module: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken" / "jax").mkdir(parents=True)
    (tmp_path / "broken" / "jax" / "__init__.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "broken"), os.environ.get("PYTHONPATH", "")]))
    done = spotcat("run", write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run"), "--site", local)
    assert done.returncode == 1, done.stderr
    assert words in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "run" / "ledger").glob("*"))
