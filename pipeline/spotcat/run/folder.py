"""The folder of a run: where everything is, whose it is, and that one driver at a time works in it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spotcat.config import Recipe, load_recipe, to_dict, write_config
from spotcat.status import InputError, RunError

_RECIPE, _LOCK, _LOG = "recipe.toml", ".lock", "spotcat.log"
# What a driver killed before it wrote its recipe may leave.
_EARLY = {_LOCK, _LOG, f"{_RECIPE}.partial"}


class RunFolder:
    """The paths inside a run folder.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def recipe(self) -> Path:
        """The recipe with every default filled in."""
        return self.path / _RECIPE

    @property
    def store(self) -> Path:
        """The light curves."""
        return self.path / "lightcurves.zarr"

    @property
    def parts(self) -> Path:
        """One folder per chunk of fitted stars."""
        return self.path / "parts"

    @property
    def ledger(self) -> Path:
        """One file per finished chunk."""
        return self.path / "ledger"

    @property
    def catalog(self) -> Path:
        """The finished catalog."""
        return self.path / "catalog.zarr"

    @property
    def log(self) -> Path:
        """What happened when."""
        return self.path / _LOG

    @property
    def compiled(self) -> Path:
        """Compiled programs, which the processes of a run share."""
        return self.path / ".jax-cache"

    @property
    def lock(self) -> Path:
        """Held by the driver at work."""
        return self.path / _LOCK


def existing(path: str | Path) -> RunFolder:
    """The run folder at a path.

    Raises:
        InputError: there is none.
    """
    folder = RunFolder(path)
    if not folder.recipe.is_file():
        raise InputError(f"{path}: no run here; start one with `spotcat run RECIPE`")
    return folder


@contextmanager
def owned(recipe: Recipe) -> Iterator[RunFolder]:
    """Make the run folder of a recipe, or reopen it, and keep every other driver out meanwhile.

    Raises:
        InputError: the folder cannot be written, belongs to another recipe, holds something else, or another
            driver is at work in it.
        RunError: the recipe cannot be written.
    """
    folder = RunFolder(recipe.survey.output)
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        if not folder.recipe.exists() and {entry.name for entry in folder.path.iterdir()} - _EARLY:
            raise InputError(f"{folder.path}: holds something else than a run; choose another survey.output")
        lock = folder.lock.open("ab")
    except OSError as error:
        raise InputError(f"{folder.path}: cannot be written ({error.strerror}); choose another survey.output") from None
    # Closing the file, or dying, gives the lock back.
    with lock:
        _lock(lock.fileno(), folder)
        _claim(folder, recipe)
        yield folder


def is_running(folder: RunFolder) -> bool:
    """Whether a driver is at work in the folder."""
    try:
        with folder.lock.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lock(number: int, folder: RunFolder) -> None:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{folder.path}: another spotcat is at work in this folder; wait until it ends") from None
    except OSError as error:
        raise RunError(f"{folder.lock}: cannot be locked ({error.strerror})") from None


def _claim(folder: RunFolder, recipe: Recipe) -> None:
    """Write the recipe into a new folder, or compare it with the one that is there."""
    if not folder.recipe.exists():
        write_config(recipe, folder.recipe)
        return
    theirs, ours = to_dict(load_recipe(folder.recipe)), to_dict(recipe)
    for settings in (theirs, ours):
        # The same folder may be reached by another path.
        del settings["survey"]["output"]
    for key, (there, here) in _differences(theirs, ours).items():
        raise InputError(
            f"{folder.path}: belongs to another recipe, with {key} = {there!r} instead of {here!r}; "
            f"choose another survey.output, or delete this folder to start again"
        )


def _differences(first: Mapping[str, Any], second: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The dotted keys whose values differ, with both values."""
    found: dict[str, tuple[Any, Any]] = {}
    for key, value in first.items():
        if isinstance(value, dict):
            found |= _differences(value, second[key], f"{prefix}{key}.")
        elif value != second[key]:
            found[prefix + key] = (value, second[key])
    return found
