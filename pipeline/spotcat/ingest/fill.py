"""What is done with a batch of files: checksums, first looks, and the light curves of one shard.

These functions run in this process or in workers of any kind, which is why they are at the top of a module and take
and give little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spotcat.config import CleanConfig
from spotcat.ingest.clean import CleanCurve, Refusal
from spotcat.ingest.describe import FileInfo
from spotcat.ingest.dips import repeating
from spotcat.ingest.discover import Source
from spotcat.ingest.outcome import Marks, Outcome, Row, pauses_of
from spotcat.ingest.read import Known, read_curve
from spotcat.ingest.scan import checksum, scan
from spotcat.ingest.transits import Transit
from spotcat.ingest.writer import Block
from spotcat.status import Flag, LeftOut

_MARGIN = 1.0
"""Measurements further [d] outside the dates of their file's header are damage."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The files of one shard: rows from ``start`` of a campaign in the store at ``folder``."""

    folder: Path
    campaign: str
    start: int
    files: tuple[FileInfo, ...]
    transits: dict[str, tuple[Transit, ...]]


def checksums(batch: tuple[int, Sequence[Source]]) -> tuple[int, list[str]]:
    """The batch's number and the SHA-256 of each of its files."""
    return batch[0], [checksum(source.path) for source in batch[1]]


def scans(config: CleanConfig, batch: tuple[int, Sequence[tuple[Source, str]]]) -> tuple[int, list[FileInfo]]:
    """The batch's number and what is known of each of its files."""
    return batch[0], [scan(source, sha256, config) for source, sha256 in batch[1]]


def fill(config: CleanConfig, reader: str, shard: Shard) -> tuple[str, int, list[Outcome]]:
    """Read a shard's files and write it; doing it twice gives the same bytes.

    Returns:
        The shard's campaign and first row, and what came of each file.
    """
    block = Block(shard.folder, shard.campaign, shard.start, len(shard.files))
    outcomes: list[Outcome] = []
    for k, info in enumerate(shard.files):
        transits = shard.transits.get(info.identity.name) or shard.transits.get(str(info.identity.star_id), ())
        known = Known((info.start - _MARGIN, info.stop + _MARGIN), transits)
        curve = read_curve(info.path, info.product, config, reader, known)
        if isinstance(curve, Refusal):
            outcomes.append(curve)
        else:
            block.put(k, curve)
            outcomes.append(_row(curve))
    block.write()
    Marks(shard.folder).note(shard.campaign, shard.start, outcomes)
    return shard.campaign, shard.start, outcomes


def _row(curve: CleanCurve) -> Row:
    flags = Flag.ERRORS_ESTIMATED if curve.errors_estimated else Flag.NONE
    if curve.odd:
        flags |= Flag.MEASUREMENTS_ODD
    if curve.n_placeholder:
        flags |= Flag.PLACEHOLDERS_LEFT_OUT
    if curve.converted:
        flags |= Flag.TIMES_CONVERTED
    if repeating(curve.flux, curve.left_out):
        flags |= Flag.ECLIPSES_SUSPECTED
    n_used, *n_left_out = np.bincount(curve.left_out, minlength=len(LeftOut)).tolist()
    used = curve.time[curve.left_out == LeftOut.USED]
    return Row(
        n_used,
        int(curve.segment[-1]) + 1,
        float(used[0]),
        float(used[-1]),
        float(np.median(np.diff(used))),
        curve.time.size,
        curve.n_masked,
        curve.n_in_transit,
        curve.n_placeholder,
        int(flags),
        pauses_of(used),
        *n_left_out,
    )
