"""What the store calls a file, and with it a star that only the file's name tells.

A base name is enough where no other file has the same stem.  Files of several folders that share one are called by
their path below the folder that they have in common, such as ``TIC_1001/lc.csv``; so no two stars become one.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spotcat.ingest.discover import TABLE_SUFFIXES, Source
from spotcat.ingest.identity import archive_identity, parse_name, stem_of
from spotcat.text import file_text


@dataclass(frozen=True, slots=True)
class _File:
    """A file whose star only its name tells: its place in the list, folder and stem as the system has them."""

    index: int
    sha256: str
    folder: str
    stem: str
    suffix: str

    @property
    def place(self) -> tuple[str, str]:
        """What files of one star share."""
        return self.folder, self.stem


def labelled(
    hashed: Sequence[tuple[Source, str]], stored: Callable[[], Collection[tuple[str, str]]] = tuple
) -> list[Source]:
    """Give every file its label; the order stays.

    Args:
        hashed: files with their SHA-256.
        stored: gives label and SHA-256 of the files in a store that these may join, which keep their labels; called
            only where it matters.
    """
    sources = [replace(source, label=file_text(source.path.name)) for source, _ in hashed]
    groups: dict[str, list[_File]] = defaultdict(list)
    for index, (source, sha256) in enumerate(hashed):
        if not source.name and not _names_a_star(source):
            stem = stem_of(source.path.name)
            folder = os.path.abspath(source.path.parent)  # noqa: PTH100 - links stay
            groups[file_text(stem)].append(_File(index, sha256, folder, stem, source.path.name[len(stem) :]))
    known: dict[str, list[str]] = defaultdict(list)
    if any(len({file.place for file in group}) > 1 for group in groups.values()):
        for label, sha256 in stored():
            known[sha256].append(label)
    for group in groups.values():
        for file, name in _named(group, known):
            sources[file.index] = replace(sources[file.index], label=name + file.suffix)
    return sources


def _names_a_star(source: Source) -> bool:
    """Whether a file's base name is that of a star of a mission, which it may share with others."""
    file = source.path.name
    is_table = file.lower().endswith(TABLE_SUFFIXES)
    return (parse_name(stem_of(file)) if is_table else archive_identity(file)) is not None


def _named(group: Sequence[_File], known: Mapping[str, Sequence[str]]) -> Iterator[tuple[_File, str]]:
    """The name of each file's star, for files of one stem: another one for every folder and spelling.

    `known` are the labels in a store by SHA-256.
    """
    places = sorted({file.place for file in group}, key=lambda place: (_respelled(place), *map(os.fsencode, place)))
    names = _stored_names(group, known)
    taken = set(names.values())
    root = os.path.commonpath([folder for folder, _ in places])
    for place in places:
        if place not in names:
            first = file_text(place[1]) if len(places) == 1 else ""
            names[place] = next(name for name in (first, *_paths(place, root)) if name and name not in taken)
            taken.add(names[place])
    for file in group:
        yield file, names[file.place]


def _stored_names(group: Sequence[_File], known: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], str]:
    """The names that a store has for these places: a path that ends as the label does, with the same bytes."""
    found = []
    for file in group:
        whole = file_text(f"{file.folder}/{file.stem}{file.suffix}")
        found += [(-len(x), file, x) for x in known.get(file.sha256, ()) if f"/{whole}".endswith(f"/{x}")]
    names: dict[tuple[str, str], str] = {}
    # Of two files with the same bytes that with the longer label is surer.
    for _, file, label in sorted(found, key=lambda f: (f[0], f[1].place, f[2])):
        name = label[: len(label) - len(file.suffix)]
        if file.place not in names and name not in names.values():
            names[file.place] = name
    return names


def _respelled(place: tuple[str, str]) -> bool:
    """Whether the stored name differs from the bytes on the disk, so that another file may read the same."""
    return any(os.fsencode(part) != file_text(part).encode() for part in place)


def _paths(place: tuple[str, str], root: str) -> Iterator[str]:
    """Names for a star by its place, shortest first; the last is nobody else's."""
    parts = [*Path(place[0]).parts[1:], place[1]]
    start = len(Path(root).parts) - 1
    shown = [file_text(part) for part in parts]
    spelling = hashlib.sha256(os.fsencode("/".join(parts[start:]))).hexdigest()[:8]
    yield "/".join(shown[start:])
    if _respelled(place):
        yield f"{'/'.join(shown[start:])}-{spelling}"
    for k in reversed(range(start)):
        yield "/".join(shown[k:])
    yield f"{'/'.join(shown)}-{hashlib.sha256(os.fsencode('/'.join(parts))).hexdigest()[:8]}"
