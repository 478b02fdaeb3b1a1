"""Text that comes from outside: names of files, arguments, names of stars, and paths that a recipe spells.

The names that a system gives are bytes, which Python shows by the locale; what is stored must not depend on it.
"""

from __future__ import annotations

import os
import unicodedata

_UNWRITABLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's control characters, halves of surrogate pairs and separators of lines, which XML or a line cannot hold."""


def written(text: str) -> str:
    """A name as it is stored: composed (NFC), with an escape such as ``\\n`` for what not every format can hold."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) for c in unicodedata.normalize("NFC", text))


def file_text(name: str) -> str:
    """The name of a file as it is stored: UTF-8 in every locale, bytes that are not UTF-8 as ``\\xe9``."""
    try:
        raw = os.fsencode(name)
    except UnicodeEncodeError:
        raw = name.encode("utf-8", "surrogateescape")
    return written(raw.decode("utf-8", "backslashreplace"))


def argument_text(argument: str) -> str:
    """The argument of a command, also where the locale does not know its letters."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def system_path(path: str) -> str:
    """A path that a recipe or another text spells, as the system takes it.

    It is the same where the locale can encode it, and its UTF-8 bytes elsewhere.
    """
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return os.fsdecode(path.encode("utf-8", "surrogateescape"))
    return path


def _escaped(c: str) -> str:
    if unicodedata.category(c) in _UNWRITABLE or ord(c) & 0xFFFE == 0xFFFE:
        return c.encode("unicode_escape").decode("ascii")
    return c
