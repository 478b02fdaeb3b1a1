"""Checksums of a finished catalog: one of every file, one of all of them, one of what the catalog says of itself.

They travel inside the store, in a group of their own, so that a copy can be checked without its run folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import zarr

GROUP = "manifest"
_ROOT = "zarr.json"


def write_manifest(group: zarr.Group, folder: Path) -> None:
    """Note the checksums of a catalog that is otherwise finished.

    Args:
        group: the catalog.
        folder: its folder.
    """
    files = {name: file_hash(folder / name) for name in files_of(folder)}
    group.create_group(GROUP, attributes={"files": files})
    attributes = {**group.attrs, "files_hash": files_hash(files)}
    group.update_attributes({**attributes, "attributes_hash": attributes_hash(attributes)})


def files_of(folder: Path) -> list[str]:
    """The files whose checksums are noted, sorted: all but the manifest and the catalog's own description."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != _ROOT and not name.startswith(f"{GROUP}/"))


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_hash(files: Mapping[str, str]) -> str:
    """SHA-256 over the names and checksums of all files."""
    return hashlib.sha256("".join(f"{name} {files[name]}\n" for name in sorted(files)).encode()).hexdigest()


def attributes_hash(attributes: Mapping[str, Any]) -> str:
    """SHA-256 over the attributes of a catalog but this one."""
    rest = {name: value for name, value in attributes.items() if name != "attributes_hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
