"""Many files over HTTP: a few at a time, each whole or absent, and a word for every one that is missing.

A server may be slow, break off, answer with errors or with a web page in place of a file.  All of that is tried again
after growing pauses, and then reported; nothing of it stops the other files.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from threading import Lock
from typing import Any

from spotcat.ingest.checksums import Checksums
from spotcat.ingest.scan import checksum, damage
from spotcat.status import InputError, RunError
from spotcat.text import system_path

_CHUNK = 2**18
_LONGEST_PAUSE = 60.0
_FOR_GOOD = (400, 401, 403, 404, 405, 410)
_MD5 = re.compile(r'"([0-9a-f]{32})"')


@dataclass(frozen=True, slots=True)
class Remote:
    """A file to fetch: where from, its place below the folder, its size if known (-1 if not) and whose it is."""

    url: str
    file: str
    size: int = -1
    target: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """A file, or all files of a target, that could not be had."""

    target: str
    file: str
    url: str
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """How to treat a server.

    ``jobs`` files are fetched at a time and at most ``rate`` requests made a second; an answer is waited for
    ``timeout`` seconds, and a file tried ``retries`` times more, after a pause of ``pause`` seconds that doubles.
    """

    jobs: int = 4
    rate: float = 10.0
    timeout: float = 60.0
    retries: int = 4
    pause: float = 1.0


class Failure(Exception):
    """An answer that is no answer; ``final`` ones are not asked for again."""

    def __init__(self, reason: str, *, final: bool = False, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.final = final
        self.wait = wait


class Server:
    """Requests under one policy; may be used by several threads."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._lock = Lock()
        self._next = 0.0

    def get(self, url: str) -> bytes:
        """The whole answer to a request.

        Raises:
            Failure: there is none, after all tries.
        """
        return self.patiently(url, lambda: b"".join(self._chunks(url, -1)))

    def save(self, remote: Remote, path: Path) -> str:
        """Fetch one file into `path`, which exists only when it is whole.

        Returns:
            The SHA-256 of its bytes.

        Raises:
            Failure: it cannot be had, after all tries.
            OSError: the disk does not take it.
        """
        return str(self.patiently(remote.url, lambda: self._save(remote, path)))

    def patiently(self, url: str, attempt: Callable[[], Any]) -> Any:
        """What an attempt gives, tried again while that may help."""
        for k in range(self.policy.retries + 1):
            try:
                return attempt()
            except Failure as failure:
                if failure.final or k == self.policy.retries:
                    raise
                # Not all at once again: each address has a pause of its own.
                share = 0.5 + zlib.crc32(f"{url} {k}".encode()) / 2**32
                time.sleep(min(max(self.policy.pause * 2**k * share, failure.wait), _LONGEST_PAUSE))
        raise AssertionError("unreachable")

    def _save(self, remote: Remote, path: Path) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial, sha256 = path.with_name(f".{path.name}.partial"), hashlib.sha256()
        try:
            with partial.open("wb") as stream:
                for chunk in self._chunks(remote.url, remote.size):
                    stream.write(chunk)
                    sha256.update(chunk)
                stream.flush()
                os.fsync(stream.fileno())
            problem = damage(partial, path.name)
            if problem:
                raise Failure(problem)
            partial.replace(path)
            return sha256.hexdigest()
        finally:
            partial.unlink(missing_ok=True)

    def _chunks(self, url: str, size: int) -> Iterator[bytes]:
        """The body of an answer, whose length and checksum are held against what the server said."""
        self._take_turn()
        request = urllib.request.Request(url, headers={"User-Agent": "spotcat", "Accept-Encoding": "identity"})
        count, md5 = 0, hashlib.md5(usedforsecurity=False)
        try:
            with urllib.request.urlopen(request, timeout=self.policy.timeout) as answer:
                stated = answer.headers.get("Content-Length", "")
                etag = _MD5.fullmatch(answer.headers.get("ETag", ""))
                while chunk := answer.read(_CHUNK):
                    count += len(chunk)
                    md5.update(chunk)
                    yield chunk
        except urllib.error.HTTPError as error:
            raise Failure(f"HTTP {error.code}", final=error.code in _FOR_GOOD, wait=_wait_of(error)) from None
        except TimeoutError:
            raise Failure(f"no answer within {self.policy.timeout:g} s") from None
        except (urllib.error.URLError, HTTPException, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise Failure(f"no answer within {self.policy.timeout:g} s") from None
            raise Failure(f"the connection failed ({type(reason).__name__})") from None
        for expected in (int(stated) if stated.isdecimal() else -1, size):
            if expected not in (-1, count):
                raise Failure(f"{count} bytes in place of {expected}")
        if etag and etag[1] != md5.hexdigest():
            raise Failure("the checksum is wrong")

    def _take_turn(self) -> None:
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + 1 / self.policy.rate
        time.sleep(start - now)


def _wait_of(error: urllib.error.HTTPError) -> float:
    seconds = str(error.headers.get("Retry-After", ""))
    return float(seconds) if seconds.isdecimal() else 0.0


def download(
    remotes: Sequence[Remote], folder: Path, server: Server, progress: Callable[[int, int], None]
) -> tuple[int, int, list[Missing]]:
    """Bring files into a folder; those that are there, and as they came, are kept.

    Args:
        remotes: what to fetch.
        folder: where to, each file at its own place below.
        server: how.
        progress: called with the number of files done and their total.

    Returns:
        How many were fetched, how many were there, and what is missing, in the order of `remotes`.

    Raises:
        InputError: the folder cannot be written.
        RunError: the disk is full.
    """
    fetched = kept = 0
    missing: dict[int, Missing] = {}
    if not remotes:
        return 0, 0, []
    with _opened(folder) as checksums, ThreadPoolExecutor(server.policy.jobs) as pool:
        futures = {pool.submit(_fetch, remote, folder, server, checksums): k for k, remote in enumerate(remotes)}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                outcome = future.result()
                fetched += outcome == "fetched"
                kept += outcome == "kept"
                if outcome not in ("fetched", "kept"):
                    remote = remotes[futures[future]]
                    missing[futures[future]] = Missing(remote.target, remote.file, remote.url, outcome)
                progress(done, len(remotes))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return fetched, kept, [missing[k] for k in sorted(missing)]


def _opened(folder: Path) -> Checksums:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Checksums(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from None


def _fetch(remote: Remote, folder: Path, server: Server, checksums: Checksums) -> str:
    """``fetched``, ``kept``, or why there is no file."""
    path = folder / system_path(remote.file)
    try:
        if path.exists() and remote.size in (-1, path.stat().st_size):
            agrees = checksums.agrees(remote.file)
            if agrees is None and not damage(path):
                # It came before there was a list, or in another way.
                checksums.note(remote.file, checksum(path))
                agrees = True
            if agrees:
                return "kept"
        checksums.note(remote.file, server.save(remote, path))
    except Failure as failure:
        return str(failure)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    except OSError as error:
        raise RunError(f"{path}: writing failed ({error.strerror})") from error
    return "fetched"
