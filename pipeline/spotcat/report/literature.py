"""Published periods to compare with, from a table such as ``catalogs/literature/demo_periods.csv``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from spotcat.catalog.index import plain_name
from spotcat.status import InputError


class Published(NamedTuple):
    """A period from elsewhere [d] and where it is from."""

    period: float
    reference: str


def read_literature(path: str | Path) -> dict[str, Published]:
    """Read a CSV table with the columns ``name``, ``period`` [d] and, if it has it, ``reference``.

    Returns:
        Periods by name, without its spaces and in lower case, as `plain_name` makes it.

    Raises:
        InputError: the file is missing or is not such a table.
    """
    try:
        with Path(path).open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        return {
            plain_name(row["name"]): Published(float(row["period"]), row.get("reference") or "")
            for row in rows
            if row["period"]
        }
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (KeyError, TypeError, ValueError, AttributeError, UnicodeDecodeError):
        raise InputError(f"{path}: not a table with the columns name and period [d]") from None


def published_period(table: dict[str, Published], name: str) -> float | None:
    """The period of a star [d], if the table has it."""
    found = table.get(plain_name(name))
    return found.period if found else None
