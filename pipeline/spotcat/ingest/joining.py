"""Files that join a store which holds others already: what is there stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spotcat.ingest.discover import Source
from spotcat.ingest.outcome import Row
from spotcat.ingest.store import LightCurveStore
from spotcat.ingest.tables import Star
from spotcat.status import InputError

Key = tuple[str, str]
"""Label and SHA-256 of a file."""


def stored_rows(
    store: LightCurveStore, hashed: Sequence[tuple[Source, str]], choices: str, append: bool
) -> dict[Key, Row]:
    """The light curves of a store that more files may join, by file.

    Raises:
        InputError: they may not.
    """
    given = {(source.label, sha256) for source, sha256 in hashed}
    rows: dict[Key, Row] = {}
    for campaign in store.campaigns:
        columns = {name: values.tolist() for name, values in store.rows(campaign).items()}
        values = zip(*(columns[name] for name in Row._fields), strict=True)
        rows |= {key: Row(*row) for key, row in zip(_keys(columns), values, strict=True)}
    grown = store.choices == choices and files_of(store) < given
    if append and grown:
        return rows
    hint = "`spotcat ingest --append` adds the new files, or " if grown else ""
    raise InputError(
        f"{store.path}: holds other light curves, or the same ones cleaned otherwise; {hint}"
        "choose another survey.output or delete this run folder"
    )


def files_of(store: LightCurveStore) -> set[Key]:
    """All files of a store, those that were left out too."""
    tables = [store.left_out, *(store.rows(campaign) for campaign in store.campaigns)]
    return {key for table in tables for key in _keys({name: table[name].tolist() for name in ("file", "sha256")})}


def _keys(columns: dict[str, list[Any]]) -> list[Key]:
    return list(zip(columns["file"], columns["sha256"], strict=True))


def take_stored(stars: Sequence[Star], stored: dict[Key, Row], path: Path) -> None:
    """Give the stars the light curves that are stored already, every one of which must still be theirs."""
    left = dict(stored)
    for star in stars:
        for info in star.files.used:
            row = left.pop((info.file, info.sha256), None)
            if row:
                star.rows.append((info, row))
    if left:
        file = min(left)[0]
        raise InputError(
            f"{path}: {file} is stored, but has no place beside the new files; choose another survey.output"
        )
