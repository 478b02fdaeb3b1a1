"""A tiny survey and its undisturbed run, shared by the tests of this room."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_surveys import write_recipe, write_site, write_stars

_DRIVER = """
import sys
from pathlib import Path
from spotcat.config import load_recipe, load_site
from spotcat.run.stages import run_survey
if __name__ == "__main__":
    run_survey(load_recipe(sys.argv[1]), load_site(sys.argv[2]))
    Path(sys.argv[3]).write_text(" ".join(sorted(sys.modules)))
"""


@pytest.fixture(scope="session")
def stars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("survey") / "stars"
    write_stars(folder)
    return folder


@pytest.fixture(scope="session")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("site") / "serial.toml", "serial")


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("site") / "local.toml", "local")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, stars: Path, local: Path) -> Path:
    """The folder of a run by local workers that nothing disturbed; tests must not change it.

    Beside it lie what the driver wrote to standard error, and the modules that it had loaded at its end.
    """
    folder = tmp_path_factory.mktemp("undisturbed")
    recipe = write_recipe(folder / "tiny.toml", stars, folder / "run")
    driver = folder / "driver.py"
    driver.write_text(_DRIVER)
    command = [sys.executable, *map(str, (driver, recipe, local, folder / "modules.txt"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "stderr.txt").write_text(done.stderr)
    return folder / "run"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, also where a shell has started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
