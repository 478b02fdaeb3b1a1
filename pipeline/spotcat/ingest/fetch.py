"""Light curves of many targets from a public archive into a folder, and a list of what is missing and why."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from spotcat.atomic import write_file, writing
from spotcat.ingest.archive import Bucket, Request, is_in_bucket, search
from spotcat.ingest.download import Missing, Remote, Server, download
from spotcat.status import InputError
from spotcat.text import argument_text

MISSING = "missing.csv"
"""Name of the list in the folder; there only while something is missing."""


@dataclass(frozen=True)
class FetchSummary:
    """What came of a fetch: targets asked for, files fetched, files that were there before, and what is missing."""

    n_targets: int
    n_fetched: int
    n_kept: int
    missing: tuple[Missing, ...]

    @property
    def words(self) -> str:
        """One line for a person."""
        text = f"{self.n_targets} targets: {self.n_fetched} files fetched, {self.n_kept} there before"
        if not self.missing:
            return text
        reasons = [missing.reason for missing in self.missing]
        counts = ", ".join(f"{reasons.count(reason)} {reason}" for reason in sorted(set(reasons)))
        return f"{text}, {len(reasons)} missing ({counts})"


def read_targets(entries: Sequence[str]) -> list[str]:
    """Targets from the command line: each a target, or a file with one a line, ``#`` before remarks.

    Raises:
        InputError: a file cannot be read, or nothing is asked for.
    """
    targets: list[str] = []
    for entry in entries:
        path = Path(entry)
        if not path.is_file():
            targets.append(argument_text(entry))
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read ({error})") from None
        targets += [line.split("#")[0].split(",")[0].strip().strip('"') for line in lines]
    named = list(dict.fromkeys(target for target in targets if target and target.lower() != "target"))
    if not named:
        raise InputError("no targets to fetch")
    return named


def fetch(
    targets: Sequence[str],
    folder: Path,
    request: Request,
    server: Server,
    bucket: str,
    progress: Callable[[int, int], None],
) -> FetchSummary:
    """Find the targets' files and bring them into a folder.

    Stars of the KIC and TIC are looked up in the bucket where the missions' own files are wanted; everything else is
    searched for by lightkurve.  Files that are there and whole are kept, so the same call goes on where it stopped.

    Args:
        targets: names, numbers such as ``KIC 8264588``, whole ones such as ``sector 15``, or ``RA DEC`` [deg].
        folder: where to.
        request: what of each target.
        server: how to ask.
        bucket: address of the public bucket.
        progress: called with the number of files done and their total.

    Raises:
        InputError: the folder cannot be written.
        RunError: the disk is full.
    """
    store = Bucket(bucket, server)
    by_bucket = [target for target in targets if is_in_bucket(target, request)]
    with ThreadPoolExecutor(server.policy.jobs) as pool:
        found = dict(zip(by_bucket, pool.map(lambda target: store.find(target, request), by_bucket), strict=True))
    remotes: dict[str, Remote] = {}
    missing: list[Missing] = []
    for target in targets:
        answer = found[target] if target in found else search(target, request, server)
        if isinstance(answer, Missing):
            missing.append(answer)
        else:
            # Cones overlap.
            remotes |= {remote.file: remote for remote in answer}
    n_fetched, n_kept, lost = download(list(remotes.values()), folder, server, progress)
    summary = FetchSummary(len(targets), n_fetched, n_kept, (*missing, *lost))
    _write_missing(folder, summary.missing)
    return summary


def _write_missing(folder: Path, missing: Sequence[Missing]) -> None:
    path = folder / MISSING
    if not missing:
        with writing(path):
            path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Missing)])
    writer.writeheader()
    writer.writerows(map(asdict, missing))
    write_file(path, text.getvalue().encode())
