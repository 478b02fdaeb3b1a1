"""Ending early: batch systems send SIGTERM before the time is up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from spotcat.run.progress import LOG
from spotcat.status import RunStopped


class Stop:
    """Whether this process was asked to end.

    Attributes:
        requested: it was.
    """

    def __init__(self) -> None:
        self.requested = False
        self._patient = False

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Only note a request within this block, which looks for it; elsewhere a request ends what goes on."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False

    def request(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- a signal handler's
        """The handler of the signal; the second signal does not wait."""
        again, self.requested = self.requested, True
        if again or not self._patient:
            raise RunStopped("asked to end; the same command goes on from here")
        LOG.info("asked to end; finishing the chunks at work")


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Take SIGTERM as a request to end, where this is the main thread."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGTERM, stop.request)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
