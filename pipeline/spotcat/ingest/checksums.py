"""SHA-256 of fetched files, noted as they arrive, in a list that ``sha256sum --check`` reads too."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Lock
from typing import Self

from spotcat.atomic import write_file
from spotcat.ingest.scan import checksum
from spotcat.text import system_path

CHECKSUMS = "checksums.sha256"
"""Name of the list in the folder."""

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


class Checksums:
    """The list of a folder, open for adding; may be used by several threads.

    A line is added for every file that arrives, so a fetch that is killed loses none; on closing, the list is written
    anew, sorted and with one line a file.

    Args:
        folder: the folder, which exists.

    Raises:
        OSError: the list cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / CHECKSUMS
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        found = (_LINE.fullmatch(line) for line in lines)
        self._known = {match[2]: match[1] for match in found if match}
        self._lock = Lock()
        self._stream = self._path.open("a", encoding="utf-8")
        # A line that a kill cut short must not spoil the next.
        self._stream.write("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        write_file(self._path, "".join(f"{self._known[file]}  {file}\n" for file in sorted(self._known)).encode())

    def note(self, file: str, sha256: str) -> None:
        """Remember the checksum of a file that is there, by its place below the folder."""
        with self._lock:
            self._known[file] = sha256
            self._stream.write(f"{sha256}  {file}\n")
            self._stream.flush()

    def agrees(self, file: str) -> bool | None:
        """Whether a file's bytes are still those that were noted; None where nothing was."""
        known = self._known.get(file)
        return None if known is None else checksum(self._folder / system_path(file)) == known
