"""Where compiled programs are kept: for all of a user's runs, or in the folder of one; whole, and not too many.

A cache is never a reason for a run to end: what is damaged in it is deleted and compiled again, and one that cannot be
written is left aside.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from spotcat.run.folder import RunFolder

GIVEN = "JAX_COMPILATION_CACHE_DIR"
"""Where JAX keeps compiled programs; goes before all else."""
MOVED = "SPOTCAT_CACHE"
"""Where spotcat does instead of in the user's folder; goes before the site's `cache`."""
OF_RUN = "run"
"""In place of a folder: the run's own."""
LIMIT = 2_000_000_000
"""The most that is kept [bytes]: a few thousand programs, where a survey has a hundred."""

_OURS = re.compile(r"jax-[\w.+]+-[\w.+]+-(cpu|cuda)-[0-9a-f]{8}")
_ZLIB = b"x"
"""First byte of what zlib compressed, as JAX does where the package zstandard is missing."""


def kept_at(folder: RunFolder, asked: str = "") -> Path:
    """The folder of compiled programs, below which each kind of machine has its own.

    Args:
        folder: the run's, where no other is wanted or can be used.
        asked: the site's ``cache``.
    """
    if os.environ.get(GIVEN):
        return Path(os.environ[GIVEN])
    shared = _shared(asked)
    return shared if shared and not _trouble(shared) else folder.compiled


def left_aside(asked: str) -> str:
    """Why the folder that runs would share is not used, in words; empty if it is, or is not wanted."""
    shared = None if os.environ.get(GIVEN) else _shared(asked)
    trouble = _trouble(shared) if shared else ""
    return f"{shared} {trouble}" if trouble else ""


def programs(folder: Path, kind: str) -> Path:
    """Where this machine keeps compiled programs: below a folder, a folder for all machines that can run the same ones.

    Machine code for one processor may be illegal on another, and JAX's versions do not read each other's programs.

    Args:
        folder: one for all machines, or one that this function returned on any of them.
        kind: cpu or cuda.
    """
    above = folder.parent if _OURS.fullmatch(folder.name) else folder
    return above.absolute() / f"jax-{version('jax')}-{version('jaxlib')}-{kind}-{processor()}"


@cache
def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Eight digits for a machine's kind of processor: what it can do, or its architecture where that is unknown.

    Args:
        cpuinfo: what Linux says of it.
    """
    about = [platform.machine()]
    with suppress(OSError):
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        # As x86 and ARM call what their instructions are; of processors that differ, each counts.
        flags = {line for line in lines if line.split(":")[0].strip() in ("flags", "Features")}
        about += sorted(" ".join(sorted(line.split(":")[1].split())) for line in flags)
    return hashlib.sha256("\n".join(about).encode()).hexdigest()[:8]


def heal(folder: Path) -> None:
    """Delete programs of JAX's own that a killed process wrote by half: it would compile them again in every process.

    One that is being written is lost with them, and compiled again.

    Args:
        folder: as ``kept_at`` returns it.
    """
    for path in _programs(folder):
        with suppress(OSError):
            if path.name.endswith("-cache") and path.read_bytes()[:1] == _ZLIB and not _whole(path):
                path.unlink()


def make_room(folder: Path, limit: int = LIMIT) -> None:
    """Delete the programs that were not used for longest, so that no more is kept than a limit.

    Args:
        folder: as ``kept_at`` returns it.
        limit: bytes that may stay.
    """
    known = []
    for path in _programs(folder):
        with suppress(OSError):
            about = path.stat()
            known.append((max(about.st_mtime, about.st_atime), about.st_size, path))
    room = limit
    for _, size, path in sorted(known, reverse=True):
        room -= size
        if room < 0:
            with suppress(OSError):
                path.unlink()


def _programs(folder: Path) -> Iterator[Path]:
    """Every file in the folders of this and of other kinds of machines."""
    above = folder.parent if _OURS.fullmatch(folder.name) else folder
    with suppress(OSError):
        for kind in above.iterdir():
            if _OURS.fullmatch(kind.name):
                yield from (path for path in kind.iterdir() if path.is_file())


def _shared(asked: str) -> Path | None:
    """The folder that runs share, None if they are not to."""
    asked = os.environ.get(MOVED) or asked
    if asked == OF_RUN:
        return None
    if asked:
        return Path(asked).expanduser().absolute()
    given = os.environ.get("XDG_CACHE_HOME", "")
    with suppress(RuntimeError):  # a user without a home
        # As the XDG Base Directory Specification says: a relative path is no path.
        return (Path(given) if Path(given).is_absolute() else Path.home() / ".cache") / "spotcat"
    return None


@cache
def _trouble(folder: Path) -> str:
    """What keeps this process from writing into a folder, in words; empty if nothing does."""
    trial = folder / f"{uuid4().hex}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"x")
        trial.unlink()
    except OSError as error:
        return f"cannot be written ({error.strerror or error})"
    return ""


def _whole(path: Path) -> bool:
    stream = zlib.decompressobj()
    try:
        stream.decompress(path.read_bytes())
    except zlib.error:
        return False
    return stream.eof
