"""Any text in files and pages that hold only some characters: what they cannot hold is escaped as Python does.

A name is whatever a file was called, control characters included.  ``\\x07`` stands for the bell, ``\\u03b2`` for β;
a backslash in the text itself stays as it is.
"""

from __future__ import annotations

import re

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 forbids or changes, and what breaks the lines of CSV; tabs and line feeds are text in both."""
_NOT_PRINTABLE_ASCII = re.compile("[^\x20-\x7e]")


def as_text(text: str) -> str:
    """The text without control characters but tabs and line feeds, for files of text."""
    return _CONTROLS.sub(_escape, text)


def as_line(text: str) -> str:
    """The text as one line that can be seen, for pages and terminals: without characters that do not print."""
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def as_ascii(text: str) -> str:
    """The text in printable ASCII, which is all that FITS holds."""
    return _NOT_PRINTABLE_ASCII.sub(_escape, text)


def as_unicode(text: str) -> str:
    """The text without the halves of characters that no encoding writes, such as undecodable bytes of a file name."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shortened(text: str, length: int) -> str:
    """The text with its middle left out where it is longer than `length` characters."""
    if len(text) <= length:
        return text
    end = (length - 1) // 3
    return f"{text[: length - 1 - end]}…{text[len(text) - end :]}"


def _escape(found: re.Match[str]) -> str:
    return _escaped(found[0])


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
