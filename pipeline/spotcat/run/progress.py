"""How far a stage is, and what happened: one moving line on a terminal, plain lines elsewhere, and a log file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Self, TextIO

from spotcat.status import InputError

LOG = logging.getLogger("spotcat.run")
"""What a person should see of a run goes here at level INFO, what only the log file keeps at DEBUG."""

_TERMINAL_EVERY, _LINE_EVERY = 0.2, 5.0
_CLEAR = "\r\033[K"


class Progress:
    """Shows how many of a stage's items are done, with their rate and the time left.

    Args:
        stage: name of the stage.
        unit: what is counted, in the plural.
        total: items of the stage.
        done: those that an earlier run did; they do not count for the rate.
        stream: where to show it; standard error if None.
        left: tells the time left [s]; as the rate so far has it if None.
    """

    def __init__(
        self,
        stage: str,
        unit: str,
        total: int,
        done: int = 0,
        stream: TextIO | None = None,
        left: Callable[[], float] | None = None,
    ) -> None:
        self._stage, self._unit = stage, unit
        self._total = total
        self._done = self._before = done
        self._stream = sys.stderr if stream is None else stream
        self._left = left
        self._moving = self._stream.isatty()
        self._every = _TERMINAL_EVERY if self._moving else _LINE_EVERY
        self._started = self._shown = monotonic()

    def __enter__(self) -> Self:
        if self._moving and self._total:
            self._show()
        return self

    def __exit__(self, *_: object) -> None:
        if self._moving:
            self._stream.write(_CLEAR)
            self._stream.flush()

    def add(self, count: int) -> None:
        """Count some more items as done."""
        self.update(self._done + count, self._total)

    def update(self, done: int, total: int) -> None:
        """Set the number of items done and their total."""
        self._done, self._total = done, total
        if monotonic() - self._shown >= self._every:
            self._show()

    def line(self) -> str:
        """The progress in words."""
        text = f"{self._stage}: {self._done} of {self._total} {self._unit}"
        rate = (self._done - self._before) / max(monotonic() - self._started, 1e-9)
        if rate == 0:
            return text
        left = self._left() if self._left else (self._total - self._done) / rate
        return f"{text}, {rate:.3g}/s, {hours(left)} left"

    def _show(self) -> None:
        self._shown = monotonic()
        if self._moving:
            self._stream.write(_CLEAR + self.line())
            self._stream.flush()
        else:
            LOG.info(self.line())


def hours(seconds: float) -> str:
    """A time as hours:minutes:seconds."""
    left = round(seconds)
    return f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"


class _LogFile(logging.FileHandler):
    """A log that a full disk cuts short, without ending the run or hiding what does."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Send what is logged meanwhile to standard error and to a file, an exception with its traceback to the file.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        file = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    screen = logging.StreamHandler()
    screen.setLevel(logging.INFO)
    screen.setFormatter(logging.Formatter(f"{_CLEAR if sys.stderr.isatty() else ''}%(message)s"))
    before = LOG.level, LOG.propagate
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False
    LOG.addHandler(file)
    LOG.addHandler(screen)
    try:
        yield
    except BaseException as error:
        LOG.debug("ended by %s", type(error).__name__, exc_info=True)
        raise
    finally:
        LOG.setLevel(before[0])
        LOG.propagate = before[1]
        LOG.removeHandler(screen)
        LOG.removeHandler(file)
        file.close()
