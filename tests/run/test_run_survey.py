"""Whole runs in processes of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from run_surveys import N_POINTS, content, spotcat, start, write_recipe

from spotcat.catalog.query import open_catalog
from spotcat.config import Site, SlurmConfig, load_recipe, to_dict
from spotcat.run.forecast import forecast
from spotcat.run.stages import run_survey
from spotcat.run.state import status_of
from spotcat.status import Status, Verdict
from spotcat.verdict.worth import COLUMNS, worth


@pytest.mark.slow
def test_the_undisturbed_run_is_complete(undisturbed: Path) -> None:
    catalog = open_catalog(undisturbed / "catalog.zarr")
    status = dict(zip(catalog["name"].values.tolist(), catalog["status"].values.tolist(), strict=True))
    assert status.pop("short") == Status.FEW_POINTS
    assert status.pop("empty") not in (Status.OK, Status.FEW_POINTS)
    assert len(status) == 10
    assert set(status.values()) <= {Status.OK, Status.NOT_CONVERGED}
    fitted = np.isin(catalog["name"].values, list(status))
    assert np.isfinite(catalog["prot"].values[fitted]).all()
    assert np.isnan(catalog["prot"].values[~fitted]).all()
    assert catalog["fit_vector"].shape[1] == len(catalog.attrs["fit_parameters"])
    known = {name: catalog.column(name) for name in COLUMNS}
    assert catalog.column("verdict").tolist() == worth(known).tolist()
    assert (catalog.column("verdict")[~fitted] == Verdict.NOT_MEASURABLE).all()
    assert np.isnan(catalog.column("spot_lifetime")[catalog.column("rotating") == 0]).all()
    written = to_dict(load_recipe(undisturbed / "recipe.toml"))
    del written["survey"]["output"]
    assert catalog.attrs["recipe"] == written
    run = status_of(undisturbed)
    assert (run.finished, run.running, run.n_done, run.chunks_done) == (True, False, 12, 4)
    assert run.seconds > 0
    done = spotcat("status", undisturbed)
    assert (done.returncode, done.stdout) == (0, "tiny: finished\n")


@pytest.mark.slow
def test_the_report_of_a_run(undisturbed: Path) -> None:
    report = json.loads((undisturbed / "report.json").read_text())
    catalog = open_catalog(undisturbed / "catalog.zarr")
    assert (report["stars"], report["chunks"], report["drivers"], report["handed_out_again"]) == (12, 4, 1, 0)
    assert sum(report["reasons"].values()) == 2
    assert 0 < report["utilisation"] <= 1
    assert all(seconds > 0 for seconds in report["seconds"].values())
    assert report["worker_seconds"] == pytest.approx(status_of(undisturbed).seconds, abs=0.2)
    log = (undisturbed.parent / "stderr.txt").read_text()
    assert f", {report['programs_compiled']} programs compiled" in log
    # No benchmark tells the time of a dozen stars, but bytes and files are counted beforehand.
    forecast = report["forecast"]
    assert forecast["worker_seconds"] > 0
    assert forecast["files"] == pytest.approx(report["files"], rel=0.5)
    assert forecast["disk"] < report["disk"]
    assert report["hashes"] == {name: catalog.attrs[f"{name}_hash"] for name in ("code", "config", "input")}


@pytest.mark.slow
def test_a_forecast_of_what_is_left(tmp_path: Path, stars: Path, undisturbed: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    recipe = load_recipe(write_recipe(tmp_path / "tiny.toml", stars, folder))
    site = Site(slurm=SlurmConfig("array", nodes=2, workers_per_node=3, walltime="00:10:00"))
    found = forecast(recipe, site)
    assert (found.n_stars, found.n_fitted, found.n_buckets, found.n_chunks) == (12, 10, 1, (4, 0))
    assert found.estimate.work == 0
    assert (found.n_workers, found.n_nodes, found.walltime) == (6, 2, 600)
    assert found.memory > 100
    shutil.rmtree(folder / "ledger")
    learned = json.loads((folder / "report.json").read_text())
    assert learned["program_seconds"]["compiled"] > 0
    whole = forecast(recipe, site)
    assert whole.n_chunks == (4, 4)
    (folder / "ledger").mkdir()
    shutil.copy(undisturbed / "ledger" / "chunk-00000.json", folder / "ledger")
    left = forecast(recipe, site)
    assert 0 < left.estimate.work < whole.estimate.work
    # The programs are there, and every worker with a chunk must load them.
    assert (left.programs, whole.programs) == (0, learned["programs_compiled"])
    assert 0 < left.estimate.programs < whole.estimate.programs
    # Without a chunk that was timed, the stored figures: a tenth of a second for 300 points.
    shutil.rmtree(folder / "events")
    stored = forecast(recipe, site).estimate
    assert stored.work - stored.programs == pytest.approx(6 * 0.1 * N_POINTS / 300, rel=0.01)
    words = "\n".join(forecast(recipe, site).lines())
    assert "12 stars, 10 of them fitted in 1 buckets" in words
    assert "4 chunks, 3 of them not done" in words


@pytest.mark.slow
def test_the_driver_of_workers_never_loads_jax(undisturbed: Path) -> None:
    modules = (undisturbed.parent / "modules.txt").read_text().split()
    assert "distributed" in modules
    assert not {"jax", "jaxlib", "lightkurve"} & set(modules)
    log = (undisturbed.parent / "stderr.txt").read_text()
    assert "fit: 4 chunks, 12 stars\n" in log
    assert int(re.search(r"fit: 1 buckets, (\d+) programs compiled", log)[1]) > 0


@pytest.mark.slow
def test_a_serial_run_gives_the_same_bytes_and_compiles_nothing_again(
    tmp_path: Path, stars: Path, undisturbed: Path, serial: Path
) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run")
    done = spotcat("run", recipe, "--site", serial)
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "run" / "catalog.zarr") == content(undisturbed / "catalog.zarr")
    compiled, read_back = re.search(r"(\d+) programs compiled, (\d+) read back", done.stderr).groups()
    assert int(compiled) == 0 < int(read_back)


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_in_the_same_bytes(
    tmp_path: Path, stars: Path, undisturbed: Path, serial: Path, local: Path
) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run")
    random = np.random.default_rng(11)
    # At a random moment of the ingest, of the fit and of what follows it; who does the work may change.
    for chunks_done, longest, site in ((0, 1.5, local), (1, 0.6, local), (4, 0.4, serial)):
        run = start("run", recipe, "--site", site)
        while run.poll() is None and len(list(tmp_path.glob("run/ledger/*.json"))) < chunks_done:
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            run.wait(random.uniform(0, longest))
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        _, err = run.communicate(timeout=60)
        assert run.returncode in (0, -signal.SIGKILL), err
    done = spotcat("run", recipe, "--site", serial)
    assert done.returncode == 0, done.stderr
    for store in ("catalog.zarr", "lightcurves.zarr"):
        assert content(tmp_path / "run" / store) == content(undisturbed / store)
    assert not list((tmp_path / "run").rglob("*.partial"))


@pytest.mark.slow
def test_a_resumed_run_does_only_what_is_missing(tmp_path: Path, stars: Path, undisturbed: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    recipe = load_recipe(write_recipe(tmp_path / "tiny.toml", stars, folder))
    # One chunk never reached the ledger, the part of another is cut off.
    (folder / "ledger" / "chunk-00000.json").unlink()
    (part,) = (folder / "parts" / "chunk-00003").iterdir()
    part.write_bytes(part.read_bytes()[:-100])
    before = _times(folder)
    run_survey(recipe, Site("serial"))
    redone = {name for name, changed in _times(folder).items() if before.get(name) != changed}
    redone = {name for name in redone if name.startswith(("parts/", "ledger/", "lightcurves"))}
    assert {Path(name).parts[1].removesuffix(".json") for name in redone} == {"chunk-00000", "chunk-00003"}
    assert content(folder / "catalog.zarr") == content(undisturbed / "catalog.zarr")


@pytest.mark.slow
def test_a_finished_run_is_left_alone(tmp_path: Path, stars: Path, undisturbed: Path, serial: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    recipe = write_recipe(tmp_path / "tiny.toml", stars, folder)
    before = _times(folder)
    started = time.monotonic()
    done = spotcat("run", recipe, "--site", serial)
    assert time.monotonic() - started < 10
    assert done.returncode == 0
    assert done.stderr.count("(done before)") == 3
    assert done.stdout.startswith(f"{folder}/catalog.zarr: 12 stars (")
    del before["spotcat.log"]
    after = _times(folder)
    assert {name: after[name] for name in before} == before


def test_input_that_changed_since_is_refused(tmp_path: Path, stars: Path) -> None:
    shutil.copytree(stars, tmp_path / "stars")
    recipe = write_recipe(tmp_path / "tiny.toml", tmp_path / "stars", tmp_path / "run")
    assert spotcat("ingest", recipe).returncode == 0
    (tmp_path / "stars" / "star00.csv").unlink()
    done = spotcat("run", recipe)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "holds other light curves" in line


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_run_in_one_line(tmp_path: Path, stars: Path, local: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run")
    run = start("run", recipe, "--site", local)
    log = tmp_path / "run" / "spotcat.log"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and "ingest:" in log.read_text()):
        time.sleep(0.1)
    time.sleep(3)
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert err.splitlines()[-1] == "spotcat: interrupted; the same command goes on from here"
    assert "Traceback" not in err


def _times(folder: Path) -> dict[str, int]:
    """When every file below a folder was last written."""
    return {os.path.relpath(path, folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
