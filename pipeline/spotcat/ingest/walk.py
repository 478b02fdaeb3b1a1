"""The files below a folder, and those that a glob means, through links to folders and without end at loops."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from glob import glob, has_magic
from pathlib import Path


class Walk:
    """A search; ``lost`` are the folders, and links to them, that could not be searched."""

    def __init__(self) -> None:
        self.lost: list[Path] = []

    def files(self, top: Path) -> Iterator[Path]:
        """Every file below a folder, no hidden ones and none of hidden folders.

        Folders that are links are entered too, after the others: each real folder once, whatever leads there, and none
        through a link that lies in it.
        """
        entered: set[str] = set()
        tops = [top]
        while tops:
            links: list[Path] = []
            for start in tops:
                for folder, folders, files in os.walk(start, onerror=self._lose):
                    real = os.path.realpath(folder)
                    folders[:] = [] if real in entered else sorted(f for f in folders if not f.startswith("."))
                    if real in entered:
                        continue
                    entered.add(real)
                    links += [path for name in folders if (path := Path(folder, name)).is_symlink()]
                    yield from self._files_of(folder, files)
            tops = sorted((link for link in links if not _leads_up(link)), key=os.fsencode)

    def matching(self, pattern: Path) -> Iterator[Path]:
        """What matches a glob; ``**`` stands for folders to any depth, searched as `files` does."""
        parts = pattern.parts
        if "**" not in parts or any(part.startswith(".") for part in parts[parts.index("**") :]):
            # Path.glob takes no absolute pattern.
            yield from (Path(match) for match in glob(str(pattern), recursive=True))  # noqa: PTH207
            return
        first = parts.index("**")
        base = str(Path(*parts[:first]))
        for top in sorted(glob(base)) if has_magic(base) else [base]:  # noqa: PTH207
            for file in self.files(Path(top)):
                if _fits(file.relative_to(top).parts, parts[first:]):
                    yield file

    def _files_of(self, folder: str, files: Sequence[str]) -> Iterator[Path]:
        for name in files:
            path = Path(folder, name)
            if name.startswith("."):
                continue
            yield path
            # Such as a link to a disk that is not there.
            if not path.suffix and path.is_symlink() and not path.exists():
                self.lost.append(path)

    def _lose(self, error: OSError) -> None:
        self.lost.append(Path(error.filename))


def _leads_up(link: Path) -> bool:
    """Whether a link leads to a folder in which it lies itself, or nowhere."""
    real, folder = os.path.realpath(link), os.path.realpath(link.parent)
    return os.path.commonpath([real, folder]) == real


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a path match those of a pattern."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _fits(parts, pattern[1:]) or (bool(parts) and _fits(parts[1:], pattern))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])
