"""The scripts of Slurm jobs, without Slurm: tests/slurm runs them."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from run_surveys import spotcat, write_recipe

from spotcat.config import Site, SlurmConfig, load_site
from spotcat.run.folder import RunFolder
from spotcat.run.script import Job, render

WORKFLOWS = Path(__file__).parents[2] / "workflows"
SITES = {"allocation": "slurm.toml", "array": "slurm-array.toml"}


def _job(site: Site, folder: str = "/home/me/runs/demo") -> Job:
    return Job("demo", RunFolder(folder), site, Path("/home/me"), "/home/me/.venv/bin/python")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JAX_COMPILATION_CACHE_DIR", "PYTHONWARNINGS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("shape", SITES)
def test_the_examples_are_what_submit_writes(shape: str) -> None:
    script = render(_job(load_site(WORKFLOWS / "sites" / SITES[shape])))
    example = WORKFLOWS / "slurm" / f"{shape}.sh"
    assert script.replace(f"jax-{version('jax')}", "jax-VERSION") == example.read_text()


@pytest.mark.parametrize("name", sorted(path.name for path in (WORKFLOWS / "sites").glob("slurm*.toml")))
def test_scripts_are_sound_whatever_the_names(name: str) -> None:
    site = load_site(WORKFLOWS / "sites" / name)
    for folder in ("/home/me/runs/demo", "/home/o'neil/my runs/$HOME"):
        script = render(_job(site, folder))
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert max(map(len, script.splitlines())) < 140


def test_a_script_asks_for_what_the_site_says() -> None:
    slurm = SlurmConfig(
        "allocation", "gpu", "mine", ("--qos=long",), 3, 9, 4, 8, "100G", "2-00:00:00", 500, 7, ("module load x",)
    )
    site = Site(platform="cuda", scratch="/fast disk", interface="ib0", patience=77, slurm=slurm)
    lines = render(_job(site)).splitlines()
    options = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH ")}
    assert options >= {"partition=gpu", "account=mine", "qos=long", "nodes=3", "gpus-per-node=4", "mem=100G"}
    assert options >= {"time=2-00:00:00", "signal=B:TERM@500", "cpus-per-task=8", "ntasks-per-node=4", "requeue"}
    text = "\n".join(lines)
    assert lines.index("module load x") < lines.index("export JAX_PLATFORMS=cuda")
    for words in ("--gpus-per-task=1", "--interface ib0", "'/fast disk'", '"$restarts" -lt 7', "TIMEOUT=77s"):
        assert words in text
    array = render(_job(replace(site, slurm=replace(slurm, shape="array"))))
    for words in ("--array=1-3", "--nodes=1\n", "--cpus-per-task=32", "--gpus-per-node=4", '"$SLURM_ARRAY_TASK_ID/3"'):
        assert words in array
    assert "scheduler" not in array


def test_a_dry_run_shows_the_script_and_submits_nothing(tmp_path: Path, stars: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run")
    done = spotcat("submit", recipe, "--site", WORKFLOWS / "sites" / "slurm.toml", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (tmp_path / "run" / "slurm" / "job.sh").read_text()
    job_site = load_site(tmp_path / "run" / "slurm" / "site.toml")
    assert (job_site.executor, job_site.workers) == ("local", 16)
    assert not (tmp_path / "run" / "slurm" / "job.json").exists()
    assert spotcat("cancel", tmp_path / "run").returncode == 2


def test_without_slurm_a_sentence_says_so(tmp_path: Path, stars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = spotcat("submit", recipe, "--site", WORKFLOWS / "sites" / "slurm.toml")
    assert done.returncode == 1
    assert done.stderr == "spotcat: sbatch: not found; is this a machine with Slurm?\n"
