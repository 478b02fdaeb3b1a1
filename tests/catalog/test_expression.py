"""Expressions against the same condition written in Python and applied star by star."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from spotcat.catalog.expression import Expression
from spotcat.status import InputError

COLUMNS = {
    "prot": np.array([1.0, 5.0, 7.5, np.nan, 12.0, -3.0, 0.0, np.inf]),
    "mag": np.array([10.1, 12.0, np.nan, 9.5, 15.2, 12.3, 11.0, 8.0], dtype=np.float32),
    "flags": np.array([0, 1, 2, 3, 4, 5, 6, 7], dtype=np.int32),
    "status": np.array([0, 0, 1, 9, 0, 0, 2, 100], dtype=np.int8),
    "star_id": np.arange(8) + 4_000_000_000_000_000_000,
    "mission": np.array(["Kepler", "K2", "TESS", "", "Kepler", "table", "TESS", "K2"], dtype=object),
    "name": np.array([f"KIC {number}" for number in range(8)], dtype=object),
}
N_ROWS = 8
Row = SimpleNamespace


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("status == 'ok'", lambda r: r.status == 0),
        ("'not_converged' != status", lambda r: r.status != 1),
        ("status in ('ok', 'not converged', 9)", lambda r: r.status in (0, 1, 9)),
        ("status not in ('ok',)", lambda r: r.status != 0),
        ("'alias_possible' in flags", lambda r: r.flags & 4),
        ("'alias_possible' not in flags and prot > 0", lambda r: not r.flags & 4 and r.prot > 0),
        ("mission == 'kepler'", lambda r: r.mission == "Kepler"),
        ("mission in ('kepler', 'tess')", lambda r: r.mission in ("Kepler", "TESS")),
        ("mission != 'KEPLER'", lambda r: r.mission != "Kepler"),
        ("mission == 'keplerr'", lambda _: False),
        ("name == 'kic 3'", lambda _: False),
        ("prot > 5 and prot < 10 and flags == 0", lambda r: 5 < r.prot < 10 and r.flags == 0),
        ("prot > 5 and prot < 10 and (flags & 5) == 0", lambda r: 5 < r.prot < 10 and not r.flags & 5),
        ("5 <= prot < 12", lambda r: 5 <= r.prot < 12),
        ("12 >= prot > 0", lambda r: 12 >= r.prot > 0),
        ("prot != 5", lambda r: r.prot == r.prot and r.prot != 5),
        ("5 != prot", lambda r: r.prot == r.prot and r.prot != 5),
        ("not prot > 5", lambda r: not r.prot > 5),
        ("prot <= 5 or flags == 7", lambda r: r.prot <= 5 or r.flags == 7),
        ("(prot > 5) & (flags == 2) | (flags == 0)", lambda r: (r.prot > 5 and r.flags == 2) or r.flags == 0),
        ("~(prot > 5)", lambda r: not r.prot > 5),
        ("(~flags & 3) == 0", lambda r: r.flags & 3 == 3),
        ("(flags | 1) == 7", lambda r: r.flags | 1 == 7),
        ("flags & 4 == 0", lambda r: r.flags < 4),
        ("flags % 3 == 1", lambda r: r.flags % 3 == 1),
        ("-prot + 2 * 3 - 1 > 0", lambda r: -r.prot + 5 > 0),
        ("prot / 2 ** 2 >= 1.25", lambda r: r.prot / 4 >= 1.25),
        ("flags ** -1 < 0.3", lambda r: r.flags > 3),
        ("+prot == 5", lambda r: r.prot == 5),
        ("abs(prot) == 3", lambda r: abs(r.prot) == 3),
        ("log10(prot) > 0.5", lambda r: r.prot > math.sqrt(10)),
        ("isfinite(prot)", lambda r: math.isfinite(r.prot)),
        ("not isfinite(prot) and flags < 7", lambda r: math.isnan(r.prot)),
        ("prot.between(0, 7.5)", lambda r: 0 <= r.prot <= 7.5),
        ("(prot * 2).between(flags, 15)", lambda r: r.flags <= r.prot * 2 <= 15),
        ("mission == 'Kepler'", lambda r: r.mission == "Kepler"),
        ("mission != 'Kepler'", lambda r: r.mission != "Kepler"),
        ("mission in ('K2', 'TESS')", lambda r: r.mission in ("K2", "TESS")),
        ("mission not in ['K2']", lambda r: r.mission != "K2"),
        ("name.between('KIC 2', 'KIC 4')", lambda r: "KIC 2" <= r.name <= "KIC 4"),
        ("prot in (1, 7.5)", lambda r: r.prot in (1, 7.5)),
        ("prot not in (1, 7.5)", lambda r: r.prot == r.prot and r.prot not in (1, 7.5)),
        ("flags in ()", lambda _: False),
        ("mag == 12.3", lambda r: r.mag == np.float32(12.3)),
        ("status * 100 == 10000", lambda r: r.status == 100),
        ("status + 200 > 299", lambda r: r.status == 100),
        ("star_id == 4000000000000000003", lambda r: r.flags == 3),
        ("star_id < 99999999999999999999999", lambda _: True),
        ("prot < flags", lambda r: r.prot < r.flags),
        ("prot / 0 > 1", lambda r: r.prot > 0),
        ("1 < 2", lambda _: True),
        ("  \n ", lambda _: True),
    ],
)
def test_an_expression_means_what_python_means(text: str, meaning: Callable[[Row], bool]) -> None:
    expression = Expression(text)
    found = expression.mask(COLUMNS, N_ROWS)
    rows = [Row(**{name: values[row] for name, values in COLUMNS.items()}) for row in range(N_ROWS)]
    assert found.dtype == bool
    assert found.tolist() == [bool(meaning(row)) for row in rows]


def test_names_are_the_columns_needed() -> None:
    assert Expression("abs(prot) > 5 and mag.between(1, flags)").names == ["flags", "mag", "prot"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prott > 5", "did you mean 'prot'"),
        ("prot >", "invalid syntax"),
        ("prot = 5", "invalid syntax"),
        ("prot > 5; flags", "invalid syntax"),
        ("prot", "'prot' is a number, not a condition"),
        ("prot and flags == 0", "'prot' is a number, not a condition"),
        ("not mission", "'mission' is a text, not a condition"),
        ("status == 'okay'", "status has no 'okay'; did you mean 'ok'"),
        ("status in ('okay', 0)", "did you mean 'ok'"),
        ("'alias' in flags", "flags has no 'alias'; did you mean|known: not_detected"),
        ("flags == 'alias_possible'", "flags are many; write 'alias_possible' in flags"),
        ("'ok' in status", "'in' needs a list"),
        ("mission > 5", "cannot compare a text with a number"),
        ("prot == 'five'", "cannot compare a text with a number"),
        ("mission in ('K2', 2)", "cannot compare a text with a number"),
        ("mission + 1 > 2", "cannot calculate"),
        ("(prot > 5) * 2 > 1", "cannot calculate"),
        ("-mission == 2", "not a number"),
        ("abs(mission) == 2", "not a number"),
        ("prot & 4 == 0", "put comparisons beside them in parentheses"),
        ("(prot > 5) & flags == 0", "put comparisons beside them in parentheses"),
        ("~prot == 2", "takes flags or a condition"),
        ("prot > 5 & flags == 0", "join comparisons with 'and'"),
        ("5 < prot > 2", "join comparisons with 'and'"),
        ("prot < 5 == 3", "join comparisons with 'and'"),
        ("mission in 'K2'", "needs a list"),
        ("mission in name", "needs a list"),
        ("prot is 5", "use =="),
        ("prot // 2 > 1", "FloorDiv is not part of the language"),
        ("prot.max() > 1", "is not part of the language"),
        ("prot.between(1) ", "is not part of the language"),
        ("prot.between(low=1, high=2)", "is not part of the language"),
        ("sqrt(prot) > 1", "is not part of the language"),
        ("abs(prot, prot) > 1", "is not part of the language"),
        ("__import__('os').system('true')", "is not part of the language"),
        ("(lambda: 1)() > 0", "is not part of the language"),
        ("prot[0] > 1", "is not part of the language"),
        ("prot.__class__ == 1", "is not part of the language"),
        ("[prot for prot in (1, 2)] == 1", "is not part of the language"),
        ("prot > 1j", "is not part of the language"),
        ("prot > None", "is not part of the language"),
        ("f'{prot}' == 'a'", "is not part of the language"),
        ("(prot := 5) > 1", "is not part of the language"),
        ("prot if flags else mag", "is not part of the language"),
        ("prot + 9999999999999999999999999 * 9 ** 9 * flags > 0 and flags * 99999999999999999999 > 0", "large"),
        ("prot > " + "(" * 5000 + "1" + ")" * 5000, "too"),
        ("prot > " + "-" * 50_000 + "1", "too"),
        ("prot > 1" + " + 1" * 20_000, "too"),
        ("prot > 1\0", "null bytes"),
    ],
)
def test_anything_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Expression(text).mask(COLUMNS, N_ROWS)


def test_a_tower_of_powers_takes_no_time() -> None:
    assert not Expression("prot > 9 ** 9 ** 9 ** 9").mask(COLUMNS, N_ROWS).any()
