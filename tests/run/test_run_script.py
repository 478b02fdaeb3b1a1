"""The scripts of Slurm jobs, without Slurm: tests/slurm runs them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import replace
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
    for name in ("JAX_COMPILATION_CACHE_DIR", "SPOTCAT_CACHE", "PYTHONWARNINGS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("shape", SITES)
def test_the_examples_are_what_submit_writes(shape: str) -> None:
    script = render(_job(load_site(WORKFLOWS / "sites" / SITES[shape])))
    example = WORKFLOWS / "slurm" / f"{shape}.sh"
    assert script == example.read_text()


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


def _run_setup(folder: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """The setup of a script, in a bash that ends before anything else is done."""
    (folder / "env.sh").write_text('[ -n "$NO_SUCH_VARIABLE" ]\nfalse\nexport GOOD=yes\n')
    (folder / "bad.sh").write_text("return 3\n")
    site = Site(slurm=SlurmConfig("array", setup=("module() { false; test 1 = $1; }", *lines)))
    script = folder / "job.sh"
    script.write_text(render(_job(site)).replace("# What every process needs.", 'echo "after $GOOD"; exit 0'))
    return subprocess.run(["bash", script], capture_output=True, text=True, cwd=folder, check=False)


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (("module 2",), "exit code 1 of a line of slurm.setup: module 2"),
        (("true", "no_such_command x", "true"), "exit code 127 of a line of slurm.setup: no_such_command x"),
        (("source /no/such/file",), "exit code 1 of a line of slurm.setup: source /no/such/file"),
        (("source ./bad.sh",), "exit code 3 of a line of slurm.setup: source ./bad.sh"),
        (("cd /no/such/folder && true", "cd /no/such/folder"), "exit code 1 of a line of slurm.setup: cd"),
        (("x=$(false)",), "exit code 1 of a line of slurm.setup: x=$(false)"),
        (("if true; then", "    module 2", "fi"), "exit code 1 of a line of slurm.setup:     module 2"),
    ],
)
def test_a_line_of_the_setup_that_fails_ends_the_job_and_is_named(
    tmp_path: Path, lines: tuple[str, ...], named: str
) -> None:
    done = _run_setup(tmp_path, *lines)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(f"spotcat: {named}")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("module 1", "source ./env.sh"),
        ("module 2 || true", "[ -n '' ] && module 2"),
        ("if module 2; then", "    cd /no/such/folder", "fi", "# a comment", ""),
        ("for folder in . ..; do", "    cd $folder", "done", "! module 2"),
    ],
)
def test_what_a_setup_may_do_without_ending_the_job(tmp_path: Path, lines: tuple[str, ...]) -> None:
    done = _run_setup(tmp_path, *lines)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"after {'yes' if 'source ./env.sh' in lines else ''}\n"


def test_commands_that_submit_prints_can_be_pasted(
    tmp_path: Path, stars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "it's my $HOME & more" / "-run; 1"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 17\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for output in (run, Path("an other/run"), Path("-plain")):
        recipe = write_recipe(tmp_path / "tiny.toml", stars, output)
        done = spotcat("submit", recipe, "--site", WORKFLOWS / "sites" / "slurm.toml")
        assert done.returncode == 0, done.stderr
        (output / "slurm" / "17.log").write_text("a log")
        for line in done.stdout.splitlines()[1:]:
            # Any program finds what they name.
            command = re.sub("^(spotcat [a-z]+|tail -F)", "ls -d", line)
            shown = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
            assert (shown.returncode, shown.stderr) == (0, ""), line
        # What a shell makes of the first is the run itself.
        words = shlex.split(done.stdout.splitlines()[1], comments=True)
        assert words[:2] == ["spotcat", "status"]
        assert Path(words[2]).samefile(output)
        assert not words[2].startswith("-")
