"""What a chunk's bytes depend on, as digests that tell whether an unfinished run may go on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import spotcat
from spotcat.config import Recipe, digest, to_dict
from spotcat.fit.calibration import content

_SECTIONS = ("input", "clean", "fit")
_ROOMS = ("star", "gp", "fit", "ingest", "catalog")
_MODULES = ("run/plan.py", "run/work.py")


def fingerprint(recipe: Recipe) -> dict[str, str]:
    """Digests of the settings and the code; what is known of each star the ledger has star by star.

    The name and the folder of a survey change no result, nor does where it runs.

    Args:
        recipe: the recipe.

    Raises:
        InputError: the calibration that it names does not fit it.
    """
    settings = to_dict(recipe)
    settings["fit"]["calibration"] = content(recipe.fit)  # whatever the file is called
    used = [settings["survey"]["seed"], *(settings[section] for section in _SECTIONS)]
    return {"config": digest(used), "code": _code()}


def _code() -> str:
    """The version, with a digest of the sources that decide a result: a checkout changes without a version."""
    package = Path(spotcat.__file__).parent
    total = hashlib.sha256()
    rooms = (path for room in _ROOMS for kind in ("*.py", "*.json") for path in (package / room).rglob(kind))
    for path in sorted([*rooms, *(package / module for module in _MODULES)]):
        content = path.read_bytes()
        total.update(f"{path.relative_to(package).as_posix()}\n{len(content)}\n".encode())
        total.update(content)
    return f"{spotcat.__version__}-{total.hexdigest()[:16]}"
