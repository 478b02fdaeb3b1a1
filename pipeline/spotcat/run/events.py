"""What happened in a run, for machines: JSON lines, one file for each driver that was ever at work."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from spotcat.status import RunError


class Events:
    """Appends events to a file; one that finds no room is lost, and the run goes on.

    Args:
        stream: the file, open for writing.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def note(self, event: str, **about: Any) -> None:
        """Append an event: one line with its ``time`` [UTC], its name and whatever else is known."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, **about})
        with suppress(OSError):
            self._stream.write(line + "\n")
            self._stream.flush()


@contextmanager
def recorded(folder: Path, **about: Any) -> Iterator[Events]:
    """Open a file of events for this process; while it is open, the file is locked.

    Args:
        folder: of the event files.
        about: what the first event says of this driver, beside its host and process.

    Raises:
        RunError: the file cannot be written.
    """
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    path = folder / f"{now}-{socket.gethostname()}-{os.getpid()}.jsonl"
    try:
        folder.mkdir(exist_ok=True)
        stream = path.open("x", encoding="utf-8")
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None
    events = Events(stream)
    events.note("began", host=socket.gethostname(), process=os.getpid(), **about)
    try:
        yield events
    except BaseException as error:
        events.note("ended", error=f"{type(error).__name__}: {error}")
        raise
    else:
        events.note("ended", error="")
    finally:
        with suppress(OSError):
            stream.close()


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a file; what a process that was killed wrote by half is left out."""
    events = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):
            events.append(json.loads(line))
    return events


def chunk_results(events: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What drivers noted of chunks when they were done, the last word on each, by chunk."""
    return {event["chunk"]: event for event in events if event["event"] == "chunk done"}


def is_open(path: Path) -> bool:
    """Whether the driver that writes a file of events is alive."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
