"""Whose a run folder is, and who may work in it.

One lock keeps drivers apart: exclusive for one that does all of the work, shared for those that do a share each.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep
from typing import BinaryIO

from spotcat.config import Recipe, load_recipe, write_config
from spotcat.run.changes import differences, in_brief
from spotcat.run.folder import LOCK, RECIPE, RunFolder
from spotcat.run.jobs import job_states
from spotcat.status import InputError, RunError

_SAID = {"survey.authors", "survey.licence", "survey.date"}
"""What of a recipe a catalog says of itself, and nothing is computed from."""
# What a driver killed before it wrote its recipe may leave.
_EARLY = {LOCK, f"{RECIPE}.partial"}

_TRIES, _PAUSE = 5, 0.1
"""A look at the lock holds it for a moment: a driver tries again after this long [s]."""


class Lock:
    """The lock of a run folder; closing its file, or dying, gives it back.

    Args:
        stream: the file, open for reading and writing.
        folder: the run folder.
    """

    def __init__(self, stream: BinaryIO, folder: RunFolder) -> None:
        self._number = stream.fileno()
        self._folder = folder

    def exclusive(self, *, wait: bool = False) -> bool:
        """Keep everyone else out; false if others are in and `wait` is not set."""
        if wait:
            return self._take(fcntl.LOCK_EX)
        for _ in range(_TRIES - 1):
            if self._take(fcntl.LOCK_EX | fcntl.LOCK_NB):
                return True
            sleep(_PAUSE)
        return self._take(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def shared(self) -> None:
        """Let others in that do a share of the work too; waits for one that keeps everyone out."""
        self._take(fcntl.LOCK_SH)

    def _take(self, kind: int) -> bool:
        try:
            fcntl.flock(self._number, kind)
        except BlockingIOError:
            return False
        except OSError as error:
            raise RunError(f"{self._folder.lock}: cannot be locked ({error.strerror})") from None
        return True


@contextmanager
def owned(recipe: Recipe) -> Iterator[RunFolder]:
    """Make the run folder of a recipe, or reopen it, and keep every other driver out meanwhile.

    Raises:
        InputError: the folder cannot be written, belongs to another recipe, holds something else, or another
            driver is at work in it.
        RunError: the recipe cannot be written.
    """
    with _opened(recipe) as (folder, lock):
        if not lock.exclusive():
            raise InputError(f"{folder.path}: another spotcat is at work in this folder; wait until it ends")
        _claim(folder, recipe, alone=True)
        yield folder


@contextmanager
def joined(recipe: Recipe) -> Iterator[tuple[RunFolder, Lock]]:
    """Make the run folder of a recipe, or join those that work in it already.

    Yields:
        The folder and its lock, which is held in one way or the other.

    Raises:
        InputError, RunError: as `owned`, but for other drivers.
    """
    with _opened(recipe) as (folder, lock):
        alone = lock.exclusive()
        if not alone:
            lock.shared()
        _claim(folder, recipe, alone=alone)
        yield folder, lock


@contextmanager
def _opened(recipe: Recipe) -> Iterator[tuple[RunFolder, Lock]]:
    folder = RunFolder(recipe.survey.output)
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        if not folder.recipe.exists() and {entry.name for entry in folder.path.iterdir()} - _EARLY:
            raise InputError(f"{folder.path}: holds something else than a run; choose another survey.output")
        # Network file systems want a file open for writing to be locked exclusively, for reading to be shared.
        stream = folder.lock.open("a+b")
    except OSError as error:
        raise InputError(f"{folder.path}: cannot be written ({error.strerror}); choose another survey.output") from None
    with stream:
        yield folder, Lock(stream, folder)


def is_running(folder: RunFolder) -> bool:
    """Whether a driver is at work in the folder."""
    try:
        with folder.lock.open("r+b") as stream:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _claim(folder: RunFolder, recipe: Recipe, *, alone: bool) -> None:
    """Write the recipe into a new folder, or compare it with the one that is there.

    What has produced nothing, such as a run whose globs match no file, keeps no other recipe out, and what a catalog
    only says of itself may change at any time.
    """
    if not folder.recipe.exists():
        write_config(recipe, folder.recipe)
        return
    changed = differences(load_recipe(folder.recipe), recipe)
    # The same folder may be reached by another path.
    changed.pop("survey.output", None)
    if not changed:
        return
    if alone and (changed.keys() <= _SAID or not _used(folder)):
        write_config(recipe, folder.recipe)
        return
    raise InputError(
        f"{folder.path}: belongs to another recipe ({in_brief(changed)}); "
        f"choose another survey.output, or delete this folder to start again"
    )


def _used(folder: RunFolder) -> bool:
    """Whether a run has produced anything here, or a job is about to."""
    # A store under construction has another name; a link is to another run's.
    stores = [path for path in folder.path.glob(f"{folder.store.name}*") if not path.is_symlink()]
    results = [path for path in (folder.parts, folder.ledger, folder.catalog) if path.exists()]
    if stores or results:
        return True
    try:
        return bool(job_states(folder))
    except RunError:
        # There is a job, and nobody here who knows of it.
        return True
