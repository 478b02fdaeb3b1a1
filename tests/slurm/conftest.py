"""A real Slurm, started for these tests, and the run that theirs must equal."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
CLUSTER = _HERE / "cluster.sh"
# The tiny surveys are those of the tests of `run`.
sys.path.insert(0, str(_HERE.parent / "run"))

from run_surveys import spotcat, write_recipe, write_site, write_stars  # noqa: E402


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """Folder of a running cluster, whose commands this process and those it starts can use."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    if os.geteuid() or not all(shutil.which(name, path=path) for name in ("slurmctld", "slurmd", "sbatch", "munged")):
        pytest.skip("needs root and Slurm: apt-get install slurmctld slurmd slurm-client munge")
    # munged refuses a socket below a folder that only root can enter.
    folder = Path(tempfile.mkdtemp(prefix="spotcat-slurm-", dir="/tmp"))
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    try:
        started = subprocess.run(
            [CLUSTER, "start", folder, str(_port())], capture_output=True, text=True, timeout=120, check=False
        )
        assert started.returncode == 0, started.stderr
        yield folder
    finally:
        subprocess.run([CLUSTER, "stop", folder], timeout=120, check=False)
        shutil.rmtree(folder, ignore_errors=True)
        if before is None:
            del os.environ["SLURM_CONF"]
        else:
            os.environ["SLURM_CONF"] = before


def _port() -> int:
    """The first of three ports in a row that are free; another cluster may run on this machine."""
    for port in range(17817, 18817, 10):
        with ExitStack() as stack, suppress(OSError):
            for number in range(port, port + 3):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return port
    raise AssertionError("no free ports")


@pytest.fixture(scope="session")
def stars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slurm-survey") / "stars"
    write_stars(folder)
    return folder


@pytest.fixture(scope="session")
def local_catalog(tmp_path_factory: pytest.TempPathFactory, stars: Path) -> Path:
    """The catalog of a run on this machine that nothing disturbed."""
    folder = tmp_path_factory.mktemp("slurm-local")
    recipe, site = write_recipe(folder / "tiny.toml", stars, folder / "run"), write_site(folder / "site.toml", "local")
    done = spotcat("run", recipe, "--site", site)
    assert done.returncode == 0, done.stderr
    return folder / "run" / "catalog.zarr"
