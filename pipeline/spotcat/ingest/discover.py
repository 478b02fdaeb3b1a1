"""Which files a recipe means: globs, folders and a manifest become one sorted list of sources."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from spotcat.config import InputConfig
from spotcat.ingest.walk import Walk
from spotcat.status import InputError
from spotcat.text import file_text, system_path, written

TABLE_SUFFIXES = (".csv", ".csv.gz", ".ecsv", ".ecsv.gz", ".parquet")
SUFFIXES = (".fits", ".fits.gz", *TABLE_SUFFIXES)

_PLAIN_SUFFIXES = (".csv", ".ecsv", ".tsv", ".dat", ".txt", ".tbl", ".tab", ".fits", ".fit", ".fts", ".json", ".vot")
_DATA_SUFFIXES = (
    *(suffix + packed for suffix in _PLAIN_SUFFIXES for packed in ("", ".gz", ".bz2", ".xz", ".zip", ".z", ".fz")),
    *(".npz", ".npy", ".h5", ".hdf5", ".hdf", ".nc", ".pkl", ".pickle", ".feather", ".parquet.gz", ".mat", ".sav"),
    *(".xlsx", ".xls", ".zip", ".tar", ".tar.gz", ".tgz", ".lc"),
)
"""Endings of files that look like data; those of them that nothing reads are counted."""

_MAX_STAR_ID = 2**53 - 1
"""The largest star id: a float64 holds it and every smaller one, as do JavaScript and spreadsheets."""
_MANIFEST_COLUMNS = ("star_id", "name", "file")


@dataclass(frozen=True, slots=True)
class Source:
    """One file; ``star_id`` (-1) and ``name`` ("") are set only where a manifest gives them.

    ``label`` is what the store calls the file; see :mod:`spotcat.ingest.naming`.
    """

    path: Path
    star_id: int = -1
    name: str = ""
    label: str = ""


class Found(NamedTuple):
    """The files of a recipe, and sentences about what lies there besides and is not read."""

    sources: list[Source]
    remarks: tuple[str, ...]


def discover(config: InputConfig) -> Found:
    """Every file of a recipe once, sorted by file name; what the manifest says of a file wins.

    Folders are searched to any depth, and so are those that they link to.  Globs and folders yield only files with a
    known suffix, no hidden ones and none of hidden folders.

    Raises:
        InputError: nothing is asked for, an entry matches no light-curve file, or the manifest is wrong.
    """
    if not config.files and not config.manifest:
        raise InputError("[input] names no light curves: set input.files or input.manifest")
    matches = [_matches(entry, "input.files") for entry in config.files]
    found: dict[str, Source] = {}
    for path in sorted((path for some in matches for path in some.known), key=lambda path: (path.name, str(path))):
        # Of several links to one file the first by name counts, in whatever order a disk lists them.
        found.setdefault(os.path.realpath(path), Source(path))
    if config.manifest:
        manifest = Path(system_path(config.manifest))
        # A folder of tables often holds its own manifest, which is no light curve.
        found.pop(os.path.realpath(manifest), None)
        found |= _read_manifest(manifest)
    sources = sorted(found.values(), key=lambda source: (source.path.name, str(source.path)))
    return Found(sources, _remarks(matches))


def expand(entry: str, key: str) -> list[Path]:
    """The files that a glob or a folder means.

    Args:
        entry: a file, a folder or a glob.
        key: the recipe's key that it comes from, for errors.

    Raises:
        InputError: there are none.
    """
    return _matches(entry, key).known


class _Matches(NamedTuple):
    """What an entry means: files with a known suffix, others, and folders that could not be searched."""

    known: list[Path]
    others: list[Path]
    lost: list[Path]


def _matches(entry: str, key: str) -> _Matches:
    path = Path(system_path(entry)).expanduser()
    walk = Walk()
    if path.is_dir():
        paths = list(walk.files(path))
    elif path.is_file():
        paths = [path]
    else:
        paths = [match for match in walk.matching(path) if match.is_file()]
    if not paths:
        raise InputError(f"{key}: {entry!r} matches no file")
    known = [path for path in paths if _is_known(path)]
    others = [path for path in paths if not _is_known(path)]
    if not known:
        counts = _counts(others)
        instead = f"; it matches {counts}" if counts else ""
        raise InputError(f"{key}: {entry!r} matches no light curve ({', '.join(SUFFIXES)}){instead}")
    return _Matches(known, others, walk.lost)


def _remarks(matches: Iterable[_Matches]) -> tuple[str, ...]:
    """What a person should know of the search."""
    others = {os.path.realpath(path): path for some in matches for path in some.others}
    lost = sorted({file_text(str(path)) for some in matches for path in some.lost})
    remarks = [f"not searched, for it cannot be read: {', '.join(lost)}"] if lost else []
    counts = _counts(others.values())
    if counts:
        remarks.append(f"not read: {counts}; light curves are read from {', '.join(SUFFIXES)}")
    return tuple(remarks)


def _counts(paths: Iterable[Path]) -> str:
    """How many files look like data, by suffix; empty for none."""
    lower = [path.name.lower() for path in paths]
    endings = [max((s for s in _DATA_SUFFIXES if name.endswith(s)), key=len, default="") for name in lower]
    counts = Counter(ending for ending in endings if ending)
    return ", ".join(f"{counts[ending]} {ending}" for ending in sorted(counts))


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
    digits = row["star_id"]
    # A shorter text first: Python converts no number of thousands of digits.
    if not digits.isdecimal() or len(digits) > 18 or int(digits) > _MAX_STAR_ID:
        raise InputError(
            f"{where}: star_id must be an integer from 0 to {_MAX_STAR_ID} (2^53 - 1: spreadsheets, pandas and "
            f"JavaScript round larger ones), got {digits!r}"
        )
    path = manifest.parent / system_path(row["file"])
    if not path.is_file():
        raise InputError(f"{where}: no file {row['file']!r} beside the manifest")
    if not _is_known(path):
        raise InputError(f"{where}: {row['file']!r} is no light curve ({', '.join(SUFFIXES)})")
    return Source(path, int(digits), written(row["name"]))
