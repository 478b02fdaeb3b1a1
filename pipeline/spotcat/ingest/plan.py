"""Which file of which star is used, decided before any light curve is read.

Nothing is dropped silently: every file that found no place in the store is listed with its reason, and a star
without any usable file keeps a row that says why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from spotcat.config import nearest
from spotcat.ingest.clean import Refusal
from spotcat.ingest.daycount import differ_in_count, kind_of
from spotcat.ingest.describe import FileInfo
from spotcat.ingest.formats import TABLE
from spotcat.ingest.identity import Identity
from spotcat.ingest.products import is_by_others, is_other_kind
from spotcat.status import InputError, Status

_NAMED_FILES = 3


@dataclass(frozen=True, slots=True)
class Rivalry(Refusal):
    """A refusal that names other files or stars; ``kind`` are its words without them."""

    kind: str


@dataclass(slots=True)
class StarFiles:
    """The files of one star and what became of each.

    ``used`` is in time order; ``left_out`` are superseded or not asked for; ``refused`` cannot be used.
    ``problem`` makes the whole star unusable.
    """

    identity: Identity
    files: list[FileInfo] = field(default_factory=list)
    used: list[FileInfo] = field(default_factory=list)
    left_out: list[tuple[FileInfo, Refusal]] = field(default_factory=list)
    refused: list[tuple[FileInfo, Refusal]] = field(default_factory=list)
    problem: Refusal | None = None


def plan_stars(files: Sequence[FileInfo], author: str) -> list[StarFiles]:
    """Sort files by star and choose among them.

    Args:
        files: every file found.
        author: take only this author's files; empty for any, as long as a star has a single one.

    Returns:
        One entry per star, sorted by star_id; every file is in exactly one of an entry's three lists.

    Raises:
        InputError: no file at all is by `author`.
    """
    _check_author(files, author)
    stars: dict[int, StarFiles] = {}
    for info in sorted(files, key=lambda info: (info.file, info.sha256)):
        star = stars.setdefault(info.identity.star_id, StarFiles(info.identity))
        star.files.append(info)
        # A damaged file may know less about its star than the next one.
        if not star.identity.mission:
            star.identity = info.identity
    _find_conflicts(stars)
    for star in stars.values():
        if star.problem:
            star.refused = [(info, star.problem) for info in star.files]
        else:
            _choose(star, author)
    return [stars[star_id] for star_id in sorted(stars)]


def listed(files: Iterable[str]) -> str:
    """A few file names for a sentence."""
    names = sorted(set(files))
    more = len(names) - _NAMED_FILES
    return ", ".join(names[:_NAMED_FILES]) + (f" and {more} more" if more > 0 else "")


def words_of(cause: Refusal) -> str:
    """What a reason has in common with those of other files: its words without their names."""
    return cause.kind if isinstance(cause, Rivalry) else cause.reason


def _beside(status: Status, words: str, file: str, end: str = "") -> Rivalry:
    """The reason why one file takes the place of another."""
    return Rivalry(status, f"{words} {file}{end}", f"{words} another file{end}")


def _check_author(files: Sequence[FileInfo], author: str) -> None:
    products = sorted({info.product for info in files if info.product and not info.refusal})
    if author and products and author not in products:
        raise InputError(f"input.author: no file is by {author!r}; {nearest(author, products)}")


def _find_conflicts(stars: dict[int, StarFiles]) -> None:
    """One star under two numbers, or one number for two stars, has no light curve that can be trusted."""
    by_name = defaultdict(set)
    for star_id, star in stars.items():
        for info in star.files:
            by_name[info.identity.name].add(star_id)
    for star_id, star in stars.items():
        names = sorted({info.identity.name for info in star.files})
        catalogued = {
            (info.identity.mission, info.identity.mission_id)
            for info in star.files
            if info.group and info.product != TABLE
        }
        files = listed(info.file for info in star.files)
        numbers = sorted(by_name[names[0]])
        if len(names) > 1:
            kind = "one star_id stands for several stars"
            words = f"star_id {star_id} stands for {listed(names)} ({files}); a manifest can give them others"
        elif len(numbers) > 1:
            kind = "one star has several star ids"
            words = f"{names[0]} has several star ids ({', '.join(map(str, numbers))}; {files})"
        elif len({mission for mission, _ in catalogued}) == 1 and len(catalogued) > 1:
            kind = "files of different stars under one name"
            words = f"{kind} ({files})"
        else:
            continue
        star.problem = Rivalry(Status.ID_CONFLICT, words, kind)


def _choose(star: StarFiles, author: str) -> None:
    """Fill the star's three lists."""
    candidates = []
    seen: dict[str, str] = {}
    for info in star.files:
        if info.refusal and (is_other_kind(info.product) or is_by_others(info.product)):
            # Nothing of the star's light curves is lost.
            star.left_out.append((info, info.refusal))
        elif author and info.product and info.product != author:
            words = f"by {info.product}, but [input] author is {author}"
            star.left_out.append((info, Refusal(Status.UNSUPPORTED, words)))
        elif info.refusal:
            star.refused.append((info, info.refusal))
        elif info.sha256 in seen:
            star.left_out.append((info, _beside(Status.OK, "the same bytes as", seen[info.sha256])))
        else:
            seen[info.sha256] = info.file
            candidates.append(info)
    authors = sorted({info.product for info in candidates})
    if len(authors) > 1:
        files = [f"{author}: {listed(i.file for i in candidates if i.product == author)}" for author in authors]
        words = "files from several authors ({}); choose one with [input] author"
        star.problem = Rivalry(Status.MIXED_AUTHORS, words.format("; ".join(files)), words.format(", ".join(authors)))
        star.refused += [(info, star.problem) for info in candidates]
    else:
        _drop_overlaps(star, candidates)


def _drop_overlaps(star: StarFiles, candidates: list[FileInfo]) -> None:
    """Of files that cover the same time keep the highest in rank, the first by name among equals."""
    for info in sorted(candidates, key=lambda info: info.rank, reverse=True):
        rival = next((k for k in star.used if info.start < k.stop and k.start < info.stop), None)
        if info.product == TABLE and (loss := _other_count(info, star.used)):
            star.refused.append((info, loss)) if loss.status else star.left_out.append((info, loss))
        elif rival is None:
            star.used.append(info)
        elif info.product == TABLE:
            # Tables carry no version, so nothing says which of the two was meant.
            star.refused.append((info, _beside(Status.UNSUPPORTED, "covers the same time as", rival.file)))
        else:
            end = ", which is newer or of longer cadence"
            star.left_out.append((info, _beside(Status.OK, "covers the same time as", rival.file, end)))
    star.used.sort(key=lambda info: (info.start, info.file))


def _other_count(info: FileInfo, used: Sequence[FileInfo]) -> Refusal | None:
    """Why a table has no place beside tables of its star whose days count from another date."""
    for other in used:
        spans = (info.start, info.stop), (other.start, other.stop)
        if info.n_rows == other.n_rows and differ_in_count(*spans):
            return Refusal(Status.OK, f"holds the measurements of {other.file}, its days counted from another date")
        if kind_of(info.start) != kind_of(other.start):
            words = f"its days count from another date than those of {other.file} ({info.start:.8g}, {other.start:.8g})"
            return Refusal(Status.UNSUPPORTED, words)
    return None
