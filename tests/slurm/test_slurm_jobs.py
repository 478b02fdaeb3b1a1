"""Whole runs as jobs of a real Slurm; README.md beside this file says what each one stands for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from run_surveys import content, spotcat, write_recipe

from spotcat.run.events import read_events

pytestmark = pytest.mark.slow

CLUSTER = Path(__file__).with_name("cluster.sh")
SITE = Path(__file__).parents[2] / "workflows" / "sites" / "slurm-test.toml"
_LONG = 240


def _wait(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _LONG
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {_LONG} s\n{_slurm('squeue')}"
        time.sleep(0.1)


def _slurm(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def _events(run: Path, name: str) -> list[dict[str, object]]:
    return [e for path in sorted(run.glob("events/*.jsonl")) for e in read_events(path) if e["event"] == name]


def _at_work(run: Path) -> int:
    """Chunks that were handed out and are not done."""
    return len(_events(run, "chunk began")) - len(_events(run, "chunk done"))


def _submit(recipe: Path, site: Path) -> str:
    done = spotcat("submit", recipe, "--site", site)
    assert done.returncode == 0, done.stderr
    return re.match(r"job (\d+): ", done.stdout)[1]


def _finish(run: Path) -> None:
    """Wait until no job of a run is in the queue, and look at its log if there is no catalog."""
    _wait(lambda: "job" not in spotcat("status", run).stdout, "the job's end")
    assert (run / "catalog.zarr").exists(), "".join(path.read_text() for path in run.glob("slurm/*.log"))
    assert spotcat("status", run).stdout == "tiny: finished\n"


@pytest.fixture
def recipe(tmp_path: Path, cluster: Path, stars: Path, local_catalog: Path) -> Path:
    return write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run")


@pytest.fixture
def array(tmp_path: Path) -> Path:
    site = tmp_path / "array.toml"
    site.write_text(SITE.read_text().replace('"allocation"', '"array"'))
    return site


def test_an_allocation_gives_the_local_catalog(tmp_path: Path, recipe: Path, local_catalog: Path) -> None:
    run = tmp_path / "run"
    job = _submit(recipe, SITE)
    second = spotcat("submit", recipe, "--site", SITE)
    assert second.returncode == 2
    assert f"job {job}" in second.stderr or "another spotcat is at work" in second.stderr
    _wait(lambda: _at_work(run), "a chunk at work")
    status = spotcat("status", run).stdout
    assert "stars at work under 1 drivers" in status
    assert re.search(rf"job {job} RUNNING .*node\[1-2\]", status)
    _finish(run)
    assert content(run / "catalog.zarr") == content(local_catalog)
    assert [event["workers"] for event in _events(run, "fitted")] == [2]


def test_a_worker_that_sees_two_gpus_ends_the_job(tmp_path: Path, recipe: Path) -> None:
    assert spotcat("submit", recipe, "--site", SITE, "--dry-run").returncode == 0
    script = tmp_path / "run" / "slurm" / "job.sh"
    # Without binding, each task sees all of its node's GPUs.
    unbound = script.read_text().replace("--gpus-per-task=1", "--gres=gpu:2").replace("per-node=1", "per-node=2")
    script.write_text(unbound.replace("ntasks-per-node=2", "ntasks-per-node=1"))
    ended = subprocess.run(["sbatch", "--wait", script], capture_output=True, text=True, timeout=_LONG, check=False)
    assert ended.returncode == 1
    (log,) = script.parent.glob("*.log")
    assert "spotcat: a worker must see one GPU, this one sees 2 (0, 1)" in log.read_text()


def test_cancelled_then_submitted_in_the_other_shape_and_its_driver_killed(
    tmp_path: Path, recipe: Path, array: Path, local_catalog: Path
) -> None:
    run = tmp_path / "run"
    _submit(recipe, SITE)
    _wait(lambda: _at_work(run), "a chunk at work")
    assert spotcat("cancel", run).returncode == 0
    _wait(lambda: "job" not in spotcat("status", run).stdout, "the job's end")
    assert not (run / "catalog.zarr").exists()
    assert spotcat("cancel", run).returncode == 2
    n_began = len(_events(run, "chunk began"))
    _submit(recipe, array)
    _wait(lambda: len(_events(run, "chunk began")) > n_began, "a chunk at work")
    began = _events(run, "began")[-1]
    os.kill(int(str(began["process"])), signal.SIGKILL)
    _finish(run)
    assert content(run / "catalog.zarr") == content(local_catalog)
    shares = Counter(event["share"] for event in _events(run, "began"))
    assert shares[""] == 1
    assert shares[began["share"]] == 2


def _log_of(run: Path) -> str:
    """What a run's jobs wrote, once none is in the queue."""
    _wait(lambda: "job" not in spotcat("status", run).stdout, "the job's end")
    return "".join(path.read_text() for path in run.glob("slurm/*.log"))


def test_a_good_job_ends_without_killing_anything(tmp_path: Path, stars: Path, cluster: Path) -> None:
    # Stars that are not fitted travel the same way, and need no compiled programs.
    recipe = write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "my run", "[fit]\nmin_points = 1000\n")
    job = _submit(recipe, SITE)
    log = _log_of(tmp_path / "my run")
    assert "12 stars" in log
    assert not re.search("Killed|Terminated|srun|slurmstepd|error", log), log
    workers = [path.read_text() for path in (tmp_path / "my run" / "slurm" / f"{job}-0").glob("worker-*.log")]
    assert len(workers) == 2
    assert all("End worker" in text and "CANCELLED" not in text for text in workers)


def test_a_failed_line_of_the_setup_ends_the_job(tmp_path: Path, stars: Path, cluster: Path) -> None:
    site = tmp_path / "site.toml"
    lines = ["module() { return 1; }", "module load no-such-module", "echo not reached"]
    site.write_text(SITE.read_text() + f"setup = {lines}\n")
    recipe = write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run")
    job = _submit(recipe, site)
    assert _log_of(tmp_path / "run") == ("spotcat: exit code 1 of a line of slurm.setup: module load no-such-module\n")
    assert re.search(r"JobState=FAILED .*ExitCode=1:0", _slurm("scontrol", "show", "job", job), re.DOTALL)


def test_workers_without_cuda_end_the_job_and_blame_no_star(tmp_path: Path, stars: Path, cluster: Path) -> None:
    run, site = tmp_path / "run", tmp_path / "site.toml"
    site.write_text(SITE.read_text().replace('"cpu"', '"cuda"'))
    recipe = write_recipe(tmp_path / "tiny.toml", stars, run)
    job = _submit(recipe, site)
    assert "JAX cannot compute on cuda (" in _log_of(run)
    assert re.search(r"JobState=FAILED .*ExitCode=1:0", _slurm("scontrol", "show", "job", job), re.DOTALL)
    assert not list(run.glob("ledger/*"))
    # The same run folder is free for a site that can.
    assert "0 of 12 stars" in spotcat("status", run).stdout
    assert spotcat("plan", recipe, "--site", SITE).returncode == 0


def test_out_of_time_goes_back_to_the_queue_and_on(tmp_path: Path, recipe: Path, local_catalog: Path) -> None:
    run = tmp_path / "run"
    job = _submit(recipe, SITE)
    _wait(lambda: _at_work(run), "a chunk at work")
    # What Slurm itself does when as much is left as the site wants for the end.
    _slurm("scancel", "--batch", "--signal=TERM", job)
    _wait(lambda: "PENDING" in spotcat("status", run).stdout, "the job in the queue again")
    done = {event["chunk"] for event in _events(run, "chunk done")}
    left = {event["error"] for event in _events(run, "ended")}
    assert len(done) >= 1
    assert any("asked to end" in str(error) for error in left)
    _finish(run)
    assert content(run / "catalog.zarr") == content(local_catalog)
    assert len(_events(run, "chunk done")) == 4
    assert len(list(run.glob(f"slurm/{job}-*"))) == 2


@pytest.mark.parametrize("shape", ["allocation", "array"])
def test_a_node_that_dies(
    tmp_path: Path, recipe: Path, array: Path, cluster: Path, local_catalog: Path, shape: str
) -> None:
    run = tmp_path / "run"
    # An allocation goes on without its second node; both tasks of the array are on the first, and begin again.
    site, node, n_began = (SITE, "node2", 2) if shape == "allocation" else (array, "node1", 1)
    _submit(recipe, site)
    _wait(lambda: len(_events(run, "chunk began")) >= n_began, "chunks at work")
    subprocess.run([CLUSTER, "kill", cluster, node], timeout=60, check=True)
    try:
        _finish(run)
    finally:
        subprocess.run([CLUSTER, "revive", cluster, node], timeout=120, check=True)
    assert content(run / "catalog.zarr") == content(local_catalog)
    # The driver of the allocation is on its first node; of the array, at least the one that was at work began twice.
    assert len(_events(run, "began")) in ((1,) if shape == "allocation" else (3, 4))
