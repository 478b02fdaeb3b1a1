"""Files and folders that are either the old ones or the new ones, whenever the process is killed.

Data reach the disk before the rename that makes them visible.  What a killed writer leaves behind ends in
``.partial`` and is never read.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from spotcat.status import RunError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an `OSError` while `path` is written (disk full, read-only) into a `RunError` that names it."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error


def write_file(path: Path, data: bytes) -> None:
    """Replace a file in one step; several processes may write the same file at once.

    Raises:
        RunError: the file cannot be written; an old one is untouched.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The name must be this writer's own: two writers in one file would mix their bytes.
        partial = path.with_name(f"{path.name}.{uuid4().hex}.partial")
        try:
            with partial.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        sync(path.parent)


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `target` once the block ends without an error.

    A folder cannot replace another in one rename, so the old one steps aside as ``<name>.previous`` for the
    moment between two of them; `settled` finds it there after a kill.  One writer at a time.

    Raises:
        RunError: the folder cannot be written; the old one is untouched.
    """
    partial, previous = _sibling(target, "partial"), _sibling(target, "previous")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _recover(target)
        partial.mkdir()
        try:
            yield partial
            sync_tree(partial)
            if target.exists():
                target.rename(previous)
            partial.rename(target)
        except BaseException:
            if not target.exists() and previous.exists():
                previous.rename(target)
            _discard(partial)
            raise
        sync(target.parent)
        _recover(target)


def settled(target: Path) -> Path:
    """The folder to read: `target`, or the one that stepped aside for a writer that was killed."""
    previous = _sibling(target, "previous")
    return previous if previous.exists() and not target.exists() else target


def _recover(target: Path) -> None:
    """Bring back a folder that stepped aside, and delete what else a killed writer left."""
    partial, previous = _sibling(target, "partial"), _sibling(target, "previous")
    if partial.exists():
        shutil.rmtree(partial)
    if not previous.exists():
        return
    if not target.exists():
        previous.rename(target)
        return
    # Renamed before it is deleted: a half-deleted folder must not look like one that stepped aside.
    previous.rename(partial)
    shutil.rmtree(partial)


def _discard(partial: Path) -> None:
    """Delete a folder that could not be finished; zarr's other writers may still be busy when one has failed."""
    for _ in range(20):
        shutil.rmtree(partial, ignore_errors=True)
        time.sleep(0.05)
        if not partial.exists():
            return


def _sibling(target: Path, suffix: str) -> Path:
    # "." and "/" have no name of their own until they are resolved.
    target = target.resolve()
    return target.parent / f"{target.name}.{suffix}"


def sync_tree(folder: Path) -> None:
    """Bring a whole tree to disk, so that its new name never outlives its contents."""
    for parent, _, files in os.walk(folder):
        for name in [*files, "."]:
            sync(Path(parent) / name)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
