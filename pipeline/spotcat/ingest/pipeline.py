"""The ingest stage: from a recipe's input to the light-curve store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import floor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from spotcat import __version__
from spotcat.config import Recipe, digest
from spotcat.ingest.clean import Refusal
from spotcat.ingest.cotrending import Cotrending
from spotcat.ingest.describe import BY_MISSION, FileInfo
from spotcat.ingest.discover import Source, discover
from spotcat.ingest.fill import Shard, checksums, fill, scans
from spotcat.ingest.formats import PRODUCTS, TABLE
from spotcat.ingest.identity import stem_of
from spotcat.ingest.joining import files_of, stored_rows, take_stored
from spotcat.ingest.naming import labelled
from spotcat.ingest.outcome import Outcome, Row
from spotcat.ingest.plan import listed, plan_stars
from spotcat.ingest.scan import checksum
from spotcat.ingest.store import VERSION, LightCurveStore
from spotcat.ingest.tables import Star, by_reason, left_out_columns, row_columns, star_columns
from spotcat.ingest.transits import Transit, read_ephemerides
from spotcat.ingest.vectors import Vectors, detector_of
from spotcat.ingest.writer import StoreWriter, block_rows
from spotcat.status import RunError, Status
from spotcat.text import system_path

T = TypeVar("T")
Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Applies a function to items, in this process or others, and gives the results in any order."""

_BATCH = 64
"""Files of one checksum or scan task."""


@dataclass(frozen=True)
class IngestSummary:
    """What an ingest found; `kept` is true where a store of the same input was there already."""

    n_files: int
    n_left_out: int
    n_stars: int
    n_usable: int
    input_hash: str
    kept: bool
    reasons: dict[str, list[str]]
    """The files that were left out for each reason, most frequent first; empty where the store was kept."""
    remarks: tuple[str, ...]
    """Sentences about the input for a person; none where the store was kept."""


def ingest(
    recipe: Recipe,
    store_path: Path,
    progress: Callable[[int, int], None],
    mapper: Mapper = map,
    append: bool = False,
) -> IngestSummary:
    """Read every light curve of a recipe into one store, which exists only once it is complete.

    A complete store of the same input is kept as it is, and so is what a killed ingest of it has finished.  A bad file
    or star never stops the others: it is listed with its reason.

    Args:
        recipe: its ``input`` and ``clean`` sections and ``fit.min_points`` are used.
        store_path: where the store goes; the folders above it are made.
        progress: called with the number of files done and their total.
        mapper: who does the work; the result is the same to the last byte.
        append: add files that a store does not have yet; nothing that it has is written again.

    Raises:
        InputError: the input is wrong as a whole, the output cannot be written, or `store_path` holds a store
            made from other input.
        RunError: writing failed, for instance because the disk is full.
    """
    sources, remarks = discover(recipe.input)
    given = _Given(
        read_ephemerides(recipe.clean.ephemerides),
        Cotrending(recipe.clean.cotrending, recipe.clean.cotrending_vectors),
    )
    old = LightCurveStore(store_path) if store_path.exists() else None
    sha256s = _in_batches(mapper, checksums, sources)
    labels = labelled(list(zip(sources, sha256s, strict=True)), partial(files_of, old) if old else tuple)
    hashed = list(zip(labels, sha256s, strict=True))
    choices = _choices(recipe, given.cotrending)
    input_hash = _input_hash(hashed, choices)
    if old and old.input_hash == input_hash:
        return _summary(old)
    stored = stored_rows(old, hashed, choices, append) if old else {}
    files = _in_batches(mapper, partial(scans, recipe.clean), hashed)
    stars = [Star(star) for star in plan_stars(files, recipe.input.author)]
    take_stored(stars, stored, store_path)
    try:
        writer = StoreWriter(store_path, digest([__version__, recipe.input.reader, input_hash]), old)
        _write_campaigns(writer, stars, recipe, given, _Counted(progress, len(files), mapper))
        attributes = {"input_hash": input_hash, "choices": choices, "cleaning": asdict(recipe.clean)}
        writer.finish(star_columns(stars, recipe.fit.min_points, choices), left_out_columns(stars), attributes)
    except OSError as error:
        raise RunError(f"{store_path}: writing failed ({error.strerror})") from error
    return replace(
        _summary(LightCurveStore(store_path)),
        kept=False,
        reasons=by_reason(stars),
        remarks=(*remarks, *_named_by_path(files)),
    )


def _named_by_path(files: Sequence[FileInfo]) -> Iterator[str]:
    """What a person should know of stars that are named by a path."""
    paths = sorted(info.file for info in files if "/" in info.file and info.identity.name == stem_of(info.file))
    if paths:
        yield (
            f"{len(paths)} files share their names with files of other folders and are stars of their own, named by "
            f"their paths ({listed(paths)}); [input] manifest gives them other names, or makes several one star"
        )


def _in_batches(mapper: Mapper, fn: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """What a function gives for every item, in order; it takes and gives numbered batches of them."""
    batches = [(k, items[k : k + _BATCH]) for k in range(0, len(items), _BATCH)]
    return [value for _, values in sorted(mapper(fn, batches), key=lambda result: result[0]) for value in values]


def _choices(recipe: Recipe, cotrending: Cotrending) -> str:
    """A digest of what else than the files decides the store's contents."""
    clean = asdict(recipe.clean)
    if recipe.clean.ephemerides:
        clean["ephemerides"] = checksum(Path(system_path(recipe.clean.ephemerides)))
    # Where their files lie changes nothing.
    clean["cotrending"] = sorted(map(checksum, cotrending.paths))
    return digest([VERSION, recipe.input.author, clean, recipe.fit.min_points])


def _input_hash(hashed: Iterable[tuple[Source, str]], choices: str) -> str:
    """A digest of what decides the store's contents; where the files lie does not."""
    return digest([choices, sorted((s.label, sha256, s.star_id, s.name) for s, sha256 in hashed)])


def _summary(store: LightCurveStore) -> IngestSummary:
    """What a store holds, as it is kept."""
    status = store.stars["status"]
    n_left_out = store.left_out["file"].size
    return IngestSummary(
        store.n_rows + n_left_out,
        n_left_out,
        status.size,
        int(np.count_nonzero(status == Status.OK)),
        store.input_hash,
        kept=True,
        reasons={},
        remarks=(),
    )


class _Given(NamedTuple):
    """What a recipe gives besides light curves."""

    transits: dict[str, tuple[Transit, ...]]
    cotrending: Cotrending


class _Counted:
    """Counts files as they are done."""

    def __init__(self, progress: Callable[[int, int], None], total: int, mapper: Mapper) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._mapper = mapper

    def add(self, count: int) -> None:
        for _ in range(count):
            self._done += 1
            self._progress(self._done, self._total)

    def map(self, fn: Callable[[Shard], T], shards: Sequence[Shard]) -> Iterator[T]:
        sizes = {(shard.campaign, shard.start): len(shard.files) for shard in shards}
        for outcome in self._mapper(fn, shards):
            self.add(sizes[outcome[:2]])
            yield outcome


def _write_campaigns(
    writer: StoreWriter,
    stars: Sequence[Star],
    recipe: Recipe,
    given: _Given,
    work: _Counted,
) -> None:
    """Read the chosen files that are not stored yet and write them, each shard by one task."""
    campaigns: dict[str, list[tuple[Star, FileInfo]]] = {}
    for star in stars:
        stored = {info.sha256 for info, _ in star.rows}
        for info in star.files.used:
            if info.sha256 not in stored:
                campaigns.setdefault(info.group, []).append((star, info))
    work.add(sum(len(star.files.files) for star in stars) - sum(map(len, campaigns.values())))
    groups, shards = {}, []
    outcomes: dict[str, dict[int, Outcome]] = {}
    for name in sorted(campaigns):
        infos = [info for _, info in campaigns[name]]
        shape = (len(infos), max(info.n_rows for info in infos))
        vectors = _vectors(given.cotrending, name, infos)
        group = writer.create(name, shape, _precision(infos[0].product), _attributes(infos), vectors)
        groups[group], written = campaigns[name], writer.written(group)
        outcomes[group] = {row: outcome for start in written for row, outcome in enumerate(written[start], start)}
        size = block_rows(shape[1])
        for start in range(0, len(infos), size):
            files = tuple(infos[start : start + size])
            if start not in written:
                shards.append(Shard(writer.folder, group, start, files, _transits_of(given.transits, files)))
    work.add(sum(map(len, outcomes.values())))
    for group, start, results in work.map(partial(fill, recipe.clean, recipe.input.reader), shards):
        outcomes[group] |= dict(enumerate(results, start))
    for group, members in groups.items():
        writer.close(group, row_columns(_kept(members, outcomes[group])))
    for star in stars:
        star.rows.sort(key=lambda item: (item[0].start, item[0].file))


def _vectors(cotrending: Cotrending, campaign: str, infos: Sequence[FileInfo]) -> dict[str, Vectors]:
    """The vectors of a campaign by detector; those who made light curves from a mission's data took them out."""
    if not cotrending.paths or infos[0].product not in BY_MISSION:
        return {}
    observed = {detector_of(info.observed): info.observed for info in infos}
    return {detector: cotrending.of(campaign, observed[detector]) for detector in sorted(observed)}


def _kept(
    members: Sequence[tuple[Star, FileInfo]], outcomes: dict[int, Outcome]
) -> Iterator[tuple[int, FileInfo, Row]]:
    """The light curves of a campaign, each also given to its star, as its refusal is."""
    for place, (star, info) in enumerate(members):
        outcome = outcomes[place]
        if isinstance(outcome, Refusal):
            star.files.refused.append((info, outcome))
        else:
            star.rows.append((info, outcome))
            yield place, info, outcome


def _transits_of(transits: dict[str, tuple[Transit, ...]], files: Sequence[FileInfo]) -> dict[str, tuple[Transit, ...]]:
    """The ephemerides that a shard needs."""
    names = {name for info in files for name in (info.identity.name, str(info.identity.star_id))}
    return {name: transits[name] for name in names & transits.keys()}


def _precision(product: str) -> str:
    return "f4" if product in PRODUCTS and PRODUCTS[product].official else "f8"


def _attributes(members: Sequence[FileInfo]) -> dict[str, Any]:
    product = members[0].product
    # Tables of one cadence need not share a time system; without an epoch their times stay exact.
    epoch = 0 if product == TABLE else floor(min(info.start for info in members))
    time_system = "as given" if product == TABLE else PRODUCTS[product].time_system
    return {"product": product, "epoch": epoch, "time_system": time_system, "time_unit": "d"}
