"""Programs that are kept from one process to the next: the same values, whatever happens to the files."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spotcat.config import FitConfig
from spotcat.fit import compiled, programs
from spotcat.fit.programs import KEPT_AT, SUFFIX, Program, forget_all, on_read, program
from spotcat.model import composite  # noqa: F401 -- tells JAX what of a layout is data
from spotcat.model.grid import Grid
from spotcat.model.layout import Layout


class Factor(NamedTuple):
    lower: Any
    solved: Any


def factor(matrix: Any, right: Any, power: int = 1) -> Factor:
    lower = jnp.linalg.cholesky(matrix)
    return Factor(lower, {"once": jax.scipy.linalg.cho_solve((lower, True), right) ** power})


MATRIX, RIGHT = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
HERE = Path(__file__).parent


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the programs that are read, from a folder of the test's own."""
    monkeypatch.setenv(KEPT_AT, str(tmp_path / "programs"))
    heard: list[str] = []
    on_read(heard.append)
    yield heard
    programs._listeners.remove(heard.append)


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "programs").iterdir())


def equal(found: Factor, wanted: Factor) -> bool:
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    return all(np.array_equal(*pair) for pair in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True))


def test_a_program_is_compiled_once_and_read_from_then_on(tmp_path: Path, read: list[str]) -> None:
    with jax.enable_x64(True):
        wanted = factor(MATRIX, RIGHT, 2)
        first = program(static=("power",))(factor)
        assert equal(first(MATRIX, RIGHT, power=2), wanted) and equal(first(MATRIX, RIGHT, 2), wanted)
        (path,) = files(tmp_path)
        assert path.suffix == SUFFIX and path.name.startswith("factor-")
        second = Program(factor, ("power",))
        assert read == []
        assert equal(second(jnp.asarray(MATRIX), right=RIGHT, power=2), wanted)
        assert read == ["factor"] and first._cache_size() == second._cache_size() == 1
        second.clear_cache()
        assert equal(second(MATRIX, RIGHT, 2), wanted)
        assert read == ["factor"] * 2


def test_programs_are_compiled_beside_other_work(tmp_path: Path, read: list[str]) -> None:
    before = jax.config.jax_persistent_cache_min_compile_time_secs
    made = Program(factor, ("power",))
    pair = np.float32(MATRIX), np.float32(RIGHT)
    for power in (1, 2, 3, 4):
        made.ahead(*pair, power)
    wanted = [factor(*pair, power) for power in (1, 2, 3, 4)]
    assert all(equal(made(*pair, power), one) for power, one in enumerate(wanted, start=1))
    assert made._cache_size() == len(files(tmp_path)) == 4 and read == []
    made.ahead(*pair, 1)
    again = Program(factor, ("power",))
    again.ahead(*pair, 2)
    assert not made._coming and not again._coming
    assert jax.config.jax_persistent_cache_min_compile_time_secs == before < np.inf


def test_what_is_in_the_cache_of_jax_is_compiled_to_be_kept(tmp_path: Path, read: list[str]) -> None:
    """XLA writes a program that it has read from there without its functions."""
    code = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import numpy as np
import test_fit_programs as tests
print(tests.Program(tests.factor, ("power",))(np.float32(tests.MATRIX), np.float32(tests.RIGHT)).lower.shape)
"""
    jaxs = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    bare = {name: value for name, value in os.environ.items() if name != KEPT_AT}
    for environ in (bare, dict(os.environ), dict(os.environ)):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environ | jaxs, check=False
        )
        assert (done.returncode, done.stdout) == (0, "(2, 2)\n"), done.stderr
        assert any(path.name.startswith("jit_factor") for path in (tmp_path / "jax").iterdir())
        assert not any(path.name.startswith("jit_kept") for path in (tmp_path / "jax").iterdir())
    assert len(files(tmp_path)) == 1


def test_without_a_folder_nothing_is_kept(tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEPT_AT)
    made = Program(factor, ("power",))
    made.ahead(np.float32(MATRIX), np.float32(RIGHT))
    assert equal(made(np.float32(MATRIX), np.float32(RIGHT)), factor(np.float32(MATRIX), np.float32(RIGHT)))
    assert made._cache_size() == 1
    assert not (tmp_path / "programs").exists()


def test_another_process_reads_it(tmp_path: Path, read: list[str]) -> None:
    """One that has lowered nothing, and so has not looked up the routines of LAPACK that the program calls."""
    with jax.enable_x64(True):
        here = Program(factor, ("power",))(MATRIX, RIGHT)
    code = f"""
import pickle, sys
sys.path.insert(0, {str(HERE)!r})
import jax
import test_fit_programs as tests
heard = []
tests.on_read(heard.append)
with jax.enable_x64(True):
    there = tests.Program(tests.factor, ("power",))(tests.MATRIX, tests.RIGHT)
    sys.stdout.buffer.write(pickle.dumps((heard, [there.lower.tolist(), there.solved["once"].tolist()])))
"""
    made = Program(factor, ("power",))
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # A function is known by its module, which has another name in a process of pytest's.
    assert made.__module__ == factor.__module__ == "test_fit_programs"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr.decode()
    heard, values = pickle.loads(done.stdout)
    assert heard == ["factor"]
    assert values == [here.lower.tolist(), here.solved["once"].tolist()]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "another's", "no program"])
def test_a_damaged_file_is_written_again(tmp_path: Path, read: list[str], damage: str) -> None:
    wanted = Program(factor, ("power",))(np.float32(MATRIX), np.float32(RIGHT))
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    nonsense = pickle.dumps((b"no program", Factor(0, {"once": 1})))
    damaged = {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "flipped": whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:],
        "another's": b"#!/bin/sh\n" * 99,
        "no program": programs.hashlib.sha256(nonsense).digest() + nonsense,
    }
    path.write_bytes(damaged[damage])
    assert equal(Program(factor, ("power",))(np.float32(MATRIX), np.float32(RIGHT)), wanted)
    assert read == []
    assert equal(Program(factor, ("power",))(np.float32(MATRIX), np.float32(RIGHT)), wanted)
    assert read == ["factor"]


def test_a_file_that_is_whole_and_does_not_run_is_written_again(tmp_path: Path, read: list[str]) -> None:
    pair = np.float32(MATRIX), np.float32(RIGHT)
    wanted = Program(factor, ("power",))(*pair)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    loaded = programs._read(path, 2)
    programs._write(path, loaded)  # XLA leaves out its functions
    assert path.read_bytes() != whole
    with pytest.raises(jax.errors.JaxRuntimeError):
        jax.block_until_ready(programs._read(path, 2)(*pair))  # type: ignore[misc]
    assert equal(Program(factor, ("power",))(*pair), wanted)
    assert read == []
    assert equal(Program(factor, ("power",))(*pair), wanted)
    assert read == ["factor"]


def test_a_folder_that_cannot_be_written_is_left_aside(tmp_path: Path, read: list[str]) -> None:
    (tmp_path / "programs").write_text("in the way")
    found = Program(factor, ("power",))(np.float32(MATRIX), np.float32(RIGHT))
    assert np.isfinite(found.lower).all()
    assert (tmp_path / "programs").read_text() == "in the way"


def test_a_full_disk_is_left_aside(tmp_path: Path, read: list[str]) -> None:
    """A process that may write files of a kilobyte only, as one on a full disk or beyond its quota."""
    code = f"""
import resource, sys
sys.path.insert(0, {str(HERE)!r})
import numpy as np
import test_fit_programs as tests
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
print(tests.Program(tests.factor, ("power",))(np.float32(tests.MATRIX), np.float32(tests.RIGHT)).lower.shape)
"""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=False)
    assert (done.returncode, done.stdout) == (0, "(2, 2)\n"), done.stderr
    assert files(tmp_path) == []


def scaled(x: Any, layout: Layout) -> Any:
    return x * layout.dt + layout.priors.shear


def test_what_decides_on_a_program_is_in_its_name(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Grid(128, 0.5).layout(FitConfig())
    wider = Grid(128, 0.5).layout(FitConfig(prior_shear=0.31))
    one = np.float32(1)

    def value(x: Any, layout: Layout) -> float:
        return float(Program(scaled)(x, layout))

    assert value(one, layout) == pytest.approx(0.8)
    assert value(one, wider) == pytest.approx(0.81)
    # The step is data.
    assert value(one, Grid(128, 0.25).layout(FitConfig())) == pytest.approx(0.55)
    assert len(files(tmp_path)) == 2 and read == ["scaled"]
    for changed in (np.float64(1), np.int32(1), 1, 1.0, np.ones(1, "f4")):
        assert np.allclose(Program(scaled)(changed, layout), 0.8)
    with jax.enable_x64(True):
        assert value(np.float64(1), layout) == pytest.approx(0.8, abs=1e-15)
    n_files = len(files(tmp_path))
    assert n_files == 8
    monkeypatch.setattr(programs, "_surroundings", lambda: "other sources")
    assert value(one, layout) == pytest.approx(0.8)
    assert len(files(tmp_path)) == n_files + 1


def test_programs_are_functions_within_others(tmp_path: Path, read: list[str]) -> None:
    made = Program(lambda x: x**3)
    assert jax.grad(made)(2.0) == 12
    assert jax.vmap(made)(jnp.arange(3.0)).tolist() == [0, 1, 8]
    assert jax.jit(lambda x: made(x) + 1)(2.0) == 9
    assert not (tmp_path / "programs").exists()


def test_unknown_options_are_not_used() -> None:
    assert not programs._is_known("xla_no_such_option", True)
    assert programs._is_known("xla_cpu_parallel_codegen_split_count", 1)


def test_memory_maps_are_given_back(tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def maps() -> int:
        return len(Path(compiled.MAPS[0]).read_bytes().splitlines())

    made = Program(factor, ("power",))
    wanted = made(np.float32(MATRIX), np.float32(RIGHT), 3)
    for power in range(4, 9):
        made(np.float32(MATRIX), np.float32(RIGHT), power)
    before = maps()
    compiled.spare_memory_maps()  # far from the limit
    assert made._cache_size() == 6
    (tmp_path / "limit").write_text(f"{2 * before - 100}\n")
    monkeypatch.setattr(compiled, "MAPS", (compiled.MAPS[0], str(tmp_path / "limit")))
    compiled.spare_memory_maps()
    assert made._cache_size() == 0
    assert maps() < before - 20
    assert equal(made(np.float32(MATRIX), np.float32(RIGHT), 3), wanted)
    forget_all()
