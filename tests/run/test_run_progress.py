from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from spotcat.run.progress import LOG, Progress, logged
from spotcat.status import InputError


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_moves_and_goes() -> None:
    screen = _Terminal()
    with Progress("fit", "stars", 40, 10, screen) as progress:
        progress.add(5)
        assert progress.line().startswith("fit: 15 of 40 stars, ")
        assert progress.line().endswith(" left")
    assert "\n" not in screen.getvalue()
    assert screen.getvalue().startswith("\r\033[Kfit: 10 of 40 stars")
    assert screen.getvalue().endswith("\r\033[K")


def test_elsewhere_lines_are_few() -> None:
    stream = io.StringIO()
    with Progress("fit", "stars", 1000, stream=stream) as progress:
        for _ in range(1000):
            progress.add(1)
    assert stream.getvalue() == ""
    assert progress.line().startswith("fit: 1000 of 1000 stars")


def test_what_happened_is_logged_with_the_traceback_in_the_file_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spotcat.log"
    for words in ("first", "second"):
        with pytest.raises(ZeroDivisionError), logged(path):
            LOG.info(words)
            LOG.debug("details")
            raise ZeroDivisionError
    assert capsys.readouterr().err == "first\nsecond\n"
    text = path.read_text()
    assert text.index("first") < text.index("details") < text.index("Traceback") < text.index("second")
    assert LOG.handlers == []
    assert LOG.level == logging.NOTSET


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path}: cannot be written"), logged(tmp_path):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_cuts_the_log_short_and_hides_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), logged(Path("/dev/full")):
        LOG.info("first")
        raise ZeroDivisionError
    assert capfd.readouterr().err == "first\n"
