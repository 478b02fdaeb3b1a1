from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import monotonic

import pytest
from run_functions import die_on_three, refuse_three, square, variable

from spotcat.config import Site
from spotcat.run.cache import kept_at, left_aside, make_room, processor, programs
from spotcat.run.environment import environment, prepared
from spotcat.run.executors import WorkerDied, make_executor
from spotcat.run.folder import RunFolder

SITES = [Site("serial"), Site("local", workers=2)]


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.executor)
def test_every_item_gives_one_result(site: Site) -> None:
    with make_executor(site, 9) as executor:
        outcomes = list(executor.run(square, range(9)))
        assert len(outcomes) == 9
        assert set(outcomes) == {number**2 for number in range(9)}
        assert list(executor.run(square, [])) == []
        # Few items are taken before results are.
        items = iter(range(1000))
        next(iter(executor.run(square, items)))
        assert next(items) < 10


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.executor)
def test_an_exception_comes_through(site: Site) -> None:
    with (
        make_executor(site, 6) as executor,
        pytest.raises(ValueError, match="three is refused"),
    ):
        list(executor.run(refuse_three, range(6)))


def test_workers_have_the_environment_and_the_driver_gets_its_own_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JAX_COMPILATION_CACHE_DIR", "TF_CPP_MIN_LOG_LEVEL"):  # the tests' own
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPOTCAT_CACHE", "run")
    before = dict(os.environ)
    with prepared(RunFolder(tmp_path)):
        changed = {name: value for name, value in os.environ.items() if before.get(name) != value}
        with make_executor(Site("local", workers=1), len(changed)) as executor:
            found = list(executor.run(variable, changed))
    assert len(changed) > 3
    assert set(found) == {(name, value, False) for name, value in changed.items()}
    assert dict(os.environ) == before


def test_runs_share_their_compiled_programs_unless_they_are_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JAX_COMPILATION_CACHE_DIR", "SPOTCAT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    runs = [RunFolder(tmp_path / name) for name in "ab"]

    def kept(cache: str = "") -> set[Path]:
        found = [environment(run, "cpu", cache) for run in runs]
        assert all(each["JAX_COMPILATION_CACHE_DIR"] == each["SPOTCAT_PROGRAMS"] for each in found)
        return {Path(each["SPOTCAT_PROGRAMS"]).parent for each in found}

    assert kept() == {tmp_path / "home" / ".cache" / "spotcat"}
    assert kept("run") == {run.compiled for run in runs}
    assert kept(str(tmp_path / "site")) == {tmp_path / "site"}
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert kept() == {tmp_path / "home" / ".cache" / "spotcat"}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert kept() == {tmp_path / "xdg" / "spotcat"}
    monkeypatch.setenv("SPOTCAT_CACHE", str(tmp_path / "moved"))
    assert kept() == kept("run") == {tmp_path / "moved"}
    monkeypatch.setenv("SPOTCAT_CACHE", "run")
    assert kept() == {run.compiled for run in runs}
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    assert kept() == kept("run") == {Path("elsewhere").absolute()}


def test_a_cache_that_cannot_be_written_is_left_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    (tmp_path / "file").write_text("in the way")
    run, cache = RunFolder(tmp_path / "run"), tmp_path / "file" / "cache"
    monkeypatch.setenv("SPOTCAT_CACHE", str(cache))
    assert kept_at(run) == run.compiled
    assert left_aside("") == f"{cache} cannot be written (Not a directory)"
    assert left_aside("") == left_aside(str(tmp_path))  # the variable goes before the site
    monkeypatch.setenv("SPOTCAT_CACHE", str(tmp_path))
    assert (kept_at(run), left_aside("")) == (tmp_path, "")


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    own = programs(tmp_path, "cpu")
    other = tmp_path / "jax-0.1-0.1-cuda-01234567"
    mine = tmp_path / "photographs"
    for folder in (own, other, mine):
        folder.mkdir()
    for age, path in enumerate([own / "new.program", other / "newer-cache", own / "old-cache", mine / "old"]):
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - age))
    make_room(tmp_path / "missing")
    make_room(own, 300)
    assert len(list(tmp_path.glob("*/*"))) == 4
    make_room(own, 250)
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["new.program", "newer-cache", "old"]


@pytest.mark.parametrize(
    "cpuinfo",
    [
        "flags\t\t: fpu sse2\n",
        "flags\t\t: fpu sse2 avx512f\n",
        "flags : fpu sse2\n\nflags : fpu\n",
        "Features\t: fp asimd\n",
        None,
    ],
)
def test_machines_that_cannot_run_each_others_programs_keep_them_apart(
    tmp_path: Path, cpuinfo: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = programs(tmp_path, "cpu")
    assert programs(here, "cpu") == programs(tmp_path, "cpu") == here
    assert here.parent == tmp_path
    assert version("jaxlib") in here.name
    assert programs(here, "cuda") != here
    # Another node, which finds in its environment what this one put there.
    (tmp_path / "cpuinfo").write_text(cpuinfo or "")
    there = partial(processor, tmp_path / ("cpuinfo" if cpuinfo else "missing"))
    assert there() == there() != processor()
    monkeypatch.setattr("spotcat.run.cache.processor", there)
    assert programs(here, "cpu").parent == tmp_path
    assert programs(here, "cpu") != here
    # A folder of a person's own is never taken for one of these.
    assert programs(tmp_path / "jax-cache", "cpu").parent == tmp_path / "jax-cache"


@pytest.mark.parametrize("given", [None, "elsewhere", "jax-9.9.9-9.9.9-cpu-00000000"])
def test_a_worker_keeps_programs_as_its_own_processor_asks_whoever_started_it(
    tmp_path: Path, given: str | None
) -> None:
    """Also where it got the environment of a node of another kind, or none."""
    code = f"""
from pathlib import Path
from run_functions import programs_of
from spotcat.run.plan import Chunk
from spotcat.run.watchdog import Terms, guarded
print(*guarded(Terms(0, "cpu"), programs_of, Path({str(tmp_path)!r}), Chunk("chunk", (1,), None)))
"""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    bare["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environ = bare | ({"JAX_COMPILATION_CACHE_DIR": str(tmp_path / given)} if given else {"SPOTCAT_CACHE": "run"})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr
    above = {None: RunFolder(tmp_path).compiled, "elsewhere": tmp_path / "elsewhere"}.get(given, tmp_path)
    assert done.stdout.split() == [str(programs(above, "cpu")), "cpu"]


def test_an_item_that_kills_its_workers_harms_no_other() -> None:
    with make_executor(Site("local", workers=2), 8) as executor:
        outcomes = list(executor.run(die_on_three, range(8)))
        died = [outcome for outcome in outcomes if isinstance(outcome, WorkerDied)]
        assert WorkerDied(3) in died
        # One that waited for the same worker may share the blame; alone it has none.
        innocent = [outcome.item for outcome in died if outcome.item != 3]
        results: list[object] = [outcome for outcome in outcomes if not isinstance(outcome, WorkerDied)]
        results = [*results, *executor.run(die_on_three, innocent)]
        assert len(results) == 7
        assert set(results) == {0, 1, 2, 4, 5, 6, 7}


@pytest.mark.slow
def test_workers_come_back_however_often_they_die() -> None:
    # Dask's own way of counting gives up after some fifteen seconds of deaths.
    with make_executor(Site("local", workers=1, patience=20), 1) as executor:
        ends = monotonic() + 20
        while monotonic() < ends:
            assert list(executor.run(die_on_three, [3])) == [WorkerDied(3)]
        assert list(executor.run(square, [3])) == [9]
