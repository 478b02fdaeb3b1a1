"""Make a golden store and catalog with the spotcat that is on the path: packed files of a few kilobytes.

    python tests/golden/make.py                                     # of this version, into tests/golden
    git worktree add /tmp/old COMMIT
    PYTHONPATH=/tmp/old/pipeline python tests/golden/make.py        # of an older one

It uses the command line alone, as every version has it.  A file that is there is kept: a version was written once.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from golden_stars import write_tables

HERE = Path(__file__).parent
VERSIONS = {"lightcurves": "version", "catalog": "schema_version"}
"""What is packed, and the attribute that tells its version."""

_RECIPE = """[survey]
name = "golden"
output = "run"
seed = 1

[input]
files = ["tables"]

[fit]
n_period = 32
lifetimes = [3.0]
shears = [0.0]
"""


def make(target: Path) -> list[Path]:
    """Run a survey of four stars and pack its light-curve store and its catalog.

    Args:
        target: folder to put them into.

    Returns:
        The files that were not there before.
    """
    made = []
    with tempfile.TemporaryDirectory() as name:
        desk = Path(name)
        write_tables(desk / "tables")
        (desk / "survey.toml").write_text(_RECIPE)
        (desk / "serial.toml").write_text('executor = "serial"\n')
        command = [sys.executable, "-m", "spotcat", "run", "survey.toml", "--site", "serial.toml"]
        subprocess.run(command, cwd=desk, check=True)
        for kind, attribute in VERSIONS.items():
            store = desk / "run" / f"{kind}.zarr"
            version = json.loads((store / "zarr.json").read_text())["attributes"][attribute]
            packed = target / f"{kind}-{version}.tar.xz"
            if not packed.exists():
                packed.write_bytes(pack(store))
                made.append(packed)
    return made


def pack(store: Path) -> bytes:
    """A folder as a compressed archive; the same content gives the same bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz", preset=9) as archive:
        for path in sorted(store.rglob("*")):
            if path.is_file():
                about = tarfile.TarInfo(f"{store.name}/{path.relative_to(store).as_posix()}")
                about.size = path.stat().st_size
                archive.addfile(about, io.BytesIO(path.read_bytes()))
    return stream.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE, metavar="DIR", help="folder to put the files into")
    for path in make(parser.parse_args().out):
        print(f"{path}: {path.stat().st_size} bytes")
