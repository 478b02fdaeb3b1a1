"""The folder of a run: where everything in it is."""

from __future__ import annotations

from pathlib import Path

from spotcat.status import InputError
from spotcat.text import system_path

RECIPE, LOCK = "recipe.toml", ".lock"


class RunFolder:
    """The paths inside a run folder.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(system_path(str(path)))

    @property
    def recipe(self) -> Path:
        """The recipe with every default filled in."""
        return self.path / RECIPE

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
    def chunk_size(self) -> Path:
        """How many stars a chunk has, from the first fit on."""
        return self.path / "chunk-size"

    @property
    def catalog(self) -> Path:
        """The finished catalog."""
        return self.path / "catalog.zarr"

    @property
    def log(self) -> Path:
        """What happened when."""
        return self.path / "spotcat.log"

    @property
    def events(self) -> Path:
        """What happened, for machines: one file per driver."""
        return self.path / "events"

    @property
    def report(self) -> Path:
        """What a finished run took and what failed in it."""
        return self.path / "report.json"

    @property
    def hung(self) -> Path:
        """The stacks of worker processes that hung."""
        return self.path / "hung"

    @property
    def slurm(self) -> Path:
        """Scripts, logs and records of Slurm jobs."""
        return self.path / "slurm"

    @property
    def compiled(self) -> Path:
        """Compiled programs, which the processes of a run share."""
        return self.path / ".jax-cache"

    @property
    def lock(self) -> Path:
        """Held by the driver at work."""
        return self.path / LOCK


def existing(path: str | Path) -> RunFolder:
    """The run folder at a path.

    Raises:
        InputError: there is none.
    """
    folder = RunFolder(path)
    if not folder.recipe.is_file():
        raise InputError(f"{path}: no run here; start one with `spotcat run RECIPE`")
    return folder
