"""Which files a recipe means: globs, folders and a manifest become one sorted list of sources."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from spotcat.config import InputConfig
from spotcat.status import InputError

TABLE_SUFFIXES = (".csv", ".ecsv", ".parquet")
SUFFIXES = (".fits", ".fits.gz", *TABLE_SUFFIXES)

_MANIFEST_COLUMNS = ("star_id", "name", "file")


@dataclass(frozen=True, slots=True)
class Source:
    """One file; ``star_id`` (-1) and ``name`` ("") are set only where a manifest gives them."""

    path: Path
    star_id: int = -1
    name: str = ""


def discover(config: InputConfig) -> list[Source]:
    """Every file of a recipe once, sorted by file name; what the manifest says of a file wins.

    Folders are searched to any depth.  Globs and folders yield only files with a known suffix, no hidden ones.

    Raises:
        InputError: nothing is asked for, an entry matches no light-curve file, or the manifest is wrong.
    """
    if not config.files and not config.manifest:
        raise InputError("[input] names no light curves: set input.files or input.manifest")
    paths = [path for entry in config.files for path in expand(entry, "input.files")]
    found: dict[str, Source] = {}
    for path in sorted(paths, key=lambda path: (path.name, str(path))):
        # Of several links to one file the first by name counts, in whatever order a disk lists them.
        found.setdefault(os.path.realpath(path), Source(path))
    if config.manifest:
        # A folder of tables often holds its own manifest, which is no light curve.
        found.pop(os.path.realpath(config.manifest), None)
        found |= _read_manifest(Path(config.manifest))
    return sorted(found.values(), key=lambda source: (source.path.name, str(source.path)))


def expand(entry: str, key: str) -> list[Path]:
    """The files that a glob or a folder means.

    Args:
        entry: a file, a folder or a glob.
        key: the recipe's key that it comes from, for errors.

    Raises:
        InputError: there are none.
    """
    path = Path(entry).expanduser()
    if path.is_dir():
        walk = [Path(folder) / file for folder, _, files in os.walk(path) for file in files]
        matches = [match for match in walk if not match.name.startswith(".")]
    elif path.is_file():
        matches = [path]
    else:
        # Path.glob takes no absolute pattern.
        matches = [Path(match) for match in glob(str(path), recursive=True)]  # noqa: PTH207
        matches = [match for match in matches if match.is_file()]
    if not matches:
        raise InputError(f"{key}: {entry!r} matches no file")
    known = [match for match in matches if _is_known(match)]
    if not known:
        raise InputError(f"{key}: {entry!r} matches no light curve ({', '.join(SUFFIXES)})")
    return known


def _is_known(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def _read_manifest(manifest: Path) -> dict[str, Source]:
    """The sources of a manifest by real path."""
    sources: dict[str, Source] = {}
    names: dict[int, str] = {}
    ids: dict[str, int] = {}
    for line, row in _manifest_rows(manifest):
        where = f"{manifest}, line {line}"
        source = _manifest_source(manifest, row, where)
        if names.setdefault(source.star_id, source.name) != source.name:
            raise InputError(
                f"{where}: star_id {source.star_id} belongs to {names[source.star_id]!r} above, not to {source.name!r}"
            )
        if ids.setdefault(source.name, source.star_id) != source.star_id:
            raise InputError(f"{where}: {source.name!r} has star_id {ids[source.name]} above")
        real = os.path.realpath(source.path)
        if real in sources:
            raise InputError(f"{where}: {row['file']!r} is listed twice")
        sources[real] = source
    if not sources:
        raise InputError(f"{manifest}: the manifest lists no files")
    return sources


def _manifest_rows(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and the three columns of every row."""
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            missing = [name for name in _MANIFEST_COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"{manifest}, line 1: no column {', '.join(map(repr, missing))}; "
                    f"a manifest has the columns {','.join(_MANIFEST_COLUMNS)}"
                )
            for row in reader:
                yield reader.line_num, {name: (row[name] or "").strip() for name in _MANIFEST_COLUMNS}
    except OSError as error:
        raise InputError(f"{manifest}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{manifest}: not a CSV file ({error})") from None


def _manifest_source(manifest: Path, row: dict[str, str], where: str) -> Source:
    for name, value in row.items():
        if not value:
            raise InputError(f"{where}: {name!r} is empty")
    if not row["star_id"].isdecimal() or int(row["star_id"]) >= 2**63:
        raise InputError(f"{where}: star_id must be a non-negative 64-bit integer, got {row['star_id']!r}")
    path = manifest.parent / row["file"]
    if not path.is_file():
        raise InputError(f"{where}: no file {row['file']!r} beside the manifest")
    if not _is_known(path):
        raise InputError(f"{where}: {row['file']!r} is no light curve ({', '.join(SUFFIXES)})")
    return Source(path, int(row["star_id"]), row["name"])
