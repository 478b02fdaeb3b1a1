"""Which chunks are done: one small file per chunk, written after the chunk's part.

Resuming trusts the ledger alone.  A part without an entry is made again; an entry without its part counts
for nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from spotcat.atomic import write_file, writing
from spotcat.catalog.writer import recorded_checksum
from spotcat.status import InputError


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of a finished chunk.

    ``stars`` are the stars of its part, each with a digest of what was known of it.
    """

    chunk: str
    stars: list[tuple[int, str]]
    checksum: str
    seconds: float
    fingerprint: dict[str, str]

    def unchanged(self, inputs: Mapping[int, str]) -> tuple[int, ...]:
        """Those of its stars of which the same is known now; `inputs` are digests by star id."""
        return tuple(star_id for star_id, digest in self.stars if inputs.get(star_id) == digest)


class Ledger:
    """The ledger of a run folder.

    Args:
        folder: the ledger's folder; the parts are in ``parts/<chunk>`` beside it.
        fingerprint: what all chunks depend on, by name: digests such as ``config``, versions such as ``numpy``.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, str]) -> None:
        self.folder = Path(folder)
        self.fingerprint = dict(sorted(fingerprint.items()))

    def part(self, chunk: str) -> Path:
        """The folder of a chunk's part.

        Raises:
            ValueError: the name cannot be a folder's.
        """
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", chunk):
            raise ValueError(f"not a chunk name: {chunk!r}")
        return self.folder.parent / "parts" / chunk

    def record(self, chunk: str, stars: Mapping[int, str], checksum: str, seconds: float) -> None:
        """Note a chunk as done; call this after its part is written.

        Args:
            chunk: name of the chunk, also of its part's folder.
            stars: a digest of what is known of each star of the part, by star id.
            checksum: what `write_part` returned.
            seconds: time that the chunk took [s].

        Raises:
            RunError: the ledger cannot be written.
        """
        self.part(chunk)
        entry = Entry(chunk, sorted(stars.items()), checksum, round(seconds, 3), self.fingerprint)
        text = json.dumps(asdict(entry), sort_keys=True) + "\n"
        write_file(self.folder / f"{chunk}.json", text.encode())

    def done(self) -> dict[str, Entry]:
        """The finished chunks by name: an entry with this fingerprint, and the part that it speaks of."""
        return {
            entry.chunk: entry
            for entry in self._entries()
            if entry.fingerprint == self.fingerprint and recorded_checksum(self.part(entry.chunk)) == entry.checksum
        }

    def check(self) -> None:
        """Refuse to go on with a run that began under another fingerprint.

        Raises:
            InputError: names what changed, with the old and the new value.
        """
        for entry in self._entries():
            old, new = entry.fingerprint, self.fingerprint
            both = {key: (old.get(key, "none"), new.get(key, "none")) for key in sorted({*old, *new})}
            changed = [f"{key} {was} -> {now}" for key, (was, now) in both.items() if was != now]
            if changed:
                raise InputError(
                    f"{self.folder.parent}: this run began with something else ({', '.join(changed)}); "
                    f"give the survey another output, or delete this folder to start again"
                )

    def begun(self) -> dict[str, str]:
        """The fingerprint of the first entry; empty where no chunk was ever done."""
        return next((entry.fingerprint for entry in self._entries()), {})

    def forget(self, chunks: Iterable[str]) -> None:
        """Let chunks be made again; their parts stay until then.

        Raises:
            RunError: an entry cannot be deleted.
        """
        for chunk in chunks:
            path = self.folder / f"{chunk}.json"
            with writing(path):
                path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Delete what killed writers left here and among the parts; call it while no writer lives.

        Raises:
            RunError: a file cannot be deleted.
        """
        for pattern in ("*.partial", "../parts/*/*.partial"):
            for path in self.folder.glob(pattern):
                with writing(path):
                    path.unlink(missing_ok=True)

    def _entries(self) -> Iterator[Entry]:
        """Every readable entry, by chunk; a damaged one is no entry, so that its chunk is made again."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                entry = Entry(**json.loads(path.read_text(encoding="utf-8")))
                entry = replace(entry, stars=[(int(star_id), str(digest)) for star_id, digest in entry.stars])
            except (OSError, ValueError, TypeError):
                continue
            if entry.chunk == path.stem:
                yield entry
