"""A run as its driver sees it, and the chunks of its survey with what the ledger says of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spotcat.config import Recipe
from spotcat.run.events import Events
from spotcat.run.folder import RunFolder
from spotcat.run.stop import Stop
from spotcat.status import InputError

if TYPE_CHECKING:
    from spotcat.catalog.ledger import Entry, Ledger
    from spotcat.run.plan import Chunk


@dataclass(frozen=True)
class Run:
    """What a driver has in hand."""

    folder: RunFolder
    recipe: Recipe
    events: Events
    stop: Stop


@dataclass(frozen=True)
class Share:
    """One of several drivers that divide a survey: number `number` of `count`, from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """The share that a person writes as ``3/8``.

        Raises:
            InputError: it is none.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        share = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= share.number <= share.count:
            raise InputError(f"--share must be K/N with K in 1..N, such as 3/8, got {text!r}")
        return share

    def of(self, chunks: list[Chunk]) -> list[Chunk]:
        """Its chunks: each `count`-th one, so that all shares have some of every bucket."""
        return chunks[self.number - 1 :: self.count]

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True)
class Work:
    """The plan of a survey and what the ledger says of it."""

    chunks: list[Chunk]
    ledger: Ledger
    done: dict[str, Entry]
    padding: float
    inputs: dict[int, str]
    """A digest of what the store knows of each star, by star id."""
    input_hash: str
    size: int
    """Stars of a chunk."""

    @property
    def hashes(self) -> dict[str, str]:
        """Digests of the code, the settings and the light curves."""
        return {name: self.ledger.fingerprint[name] for name in ("code", "config")} | {"input": self.input_hash}

    @property
    def missing(self) -> list[Chunk]:
        """The chunks that are not done."""
        return [chunk for chunk in self.chunks if chunk.name not in self.done]

    @property
    def pilots(self) -> list[Chunk]:
        """The first chunk of each bucket of which none is done: who fits it compiles the bucket's programs."""
        warm = {chunk.spec for chunk in self.chunks if chunk.name in self.done}
        first = {chunk.spec: chunk for chunk in reversed(self.chunks) if chunk.spec is not None}
        return [chunk for spec, chunk in first.items() if spec not in warm]


def load_work(folder: RunFolder, recipe: Recipe, platform: str = "", chunk: int = 0) -> Work:
    """The work of an ingested survey.

    Of the chunks that were done before files were appended to the store, those stars are kept that are as they were;
    all others go into new chunks.

    Args:
        folder: the run folder.
        recipe: its recipe.
        platform: cpu or cuda, what it is fitted on; what the run began with if empty.
        chunk: stars of a chunk, 0 for what the survey's size asks for; a run keeps what it began with.

    Raises:
        InputError: there is no light-curve store, or not a complete one, or it lacks a star of ``fit.stars``.
    """
    from spotcat.catalog.ledger import Ledger
    from spotcat.ingest.store import LightCurveStore
    from spotcat.run.fingerprint import fingerprint
    from spotcat.run.plan import chosen, chunk_size, kept_chunks, padding, plan_chunks

    store = LightCurveStore(folder.store)
    platform = platform or Ledger(folder.ledger, {}).begun().get("platform", "cpu")
    ledger = Ledger(folder.ledger, fingerprint(recipe, platform))
    entries = ledger.done()
    # A star may be refused for what came of another one's files.
    columns = (store.stars[name].tolist() for name in ("star_id", "input_hash", "status"))
    inputs = {star_id: f"{input_hash}-{status}" for star_id, input_hash, status in zip(*columns, strict=True)}
    unchanged = {name: entry.unchanged(inputs) for name, entry in entries.items()}
    stars = chosen(store.stars, recipe.fit)
    kept = kept_chunks(unchanged, stars, recipe.fit, store.generation)
    size = _begun_with(folder) or chunk or chunk_size(len(stars["star_id"]), platform)
    chunks = kept + plan_chunks(stars, recipe.fit, size, store.generation, kept)
    names = {chunk.name for chunk in chunks if set(chunk.star_ids) <= set(unchanged.get(chunk.name, ()))}
    done = {name: entry for name, entry in entries.items() if name in names}
    return Work(chunks, ledger, done, padding(chunks, stars), inputs, store.input_hash, size)


def keep_chunk_size(folder: RunFolder, work: Work) -> None:
    """Let every later driver of a run divide its stars as this one does: what is done is known by chunks.

    Raises:
        RunError: the run folder cannot be written.
    """
    from spotcat.atomic import write_file

    if _begun_with(folder) != work.size:
        write_file(folder.chunk_size, f"{work.size}\n".encode())


def _begun_with(folder: RunFolder) -> int:
    """Stars of a chunk of a run; 0 where none was ever fitted."""
    try:
        return max(int(folder.chunk_size.read_text(encoding="ascii")), 0)
    except (OSError, ValueError):
        return 0
