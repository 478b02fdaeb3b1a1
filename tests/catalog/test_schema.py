from __future__ import annotations

import numpy as np
import pytest
from astropy import units
from astropy.io.votable.ucd import check_ucd

from spotcat.catalog.schema import ARRAYS, COLUMNS, PRINTED, Column, attributes, check_names
from spotcat.status import Flag, InputError, LifetimeFlag, Status

EVERY = [*COLUMNS, *ARRAYS]
BY_NAME = {column.name: column for column in EVERY}


@pytest.mark.parametrize("column", EVERY, ids=lambda column: column.name)
def test_a_column_is_fully_described(column: Column) -> None:
    units.Unit(column.unit, format="vounit", parse_strict="raise")
    assert check_ucd(column.ucd, check_controlled_vocabulary=True)
    assert len(column.description) > 10
    assert not column.description.endswith(".")
    assert column.name.isidentifier()
    if column.fill is not None and column.dtype != "str":
        stored = np.array(column.fill).astype(column.dtype)
        assert np.array_equal(stored, np.array(column.fill), equal_nan=stored.dtype.kind == "f")


def test_the_unit_check_can_fail() -> None:
    with pytest.raises(ValueError, match="furlong"):
        units.Unit("furlong", format="vounit", parse_strict="raise")
    assert not check_ucd("time.period.rotating", check_controlled_vocabulary=True)


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(EVERY)


def test_the_period_follows_the_name_in_printed_tables() -> None:
    for names in ([column.name for column in COLUMNS], list(PRINTED)):
        assert names[names.index("name") + 1] == "prot"
    check_names(PRINTED, BY_NAME)


def test_fitted_quantities_have_their_percentiles_beside_them() -> None:
    names = [column.name for column in COLUMNS]
    for name in names:
        if name.endswith("_lower"):
            base = name.removesuffix("_lower")
            place = names.index(base)
            assert names[place : place + 3] == [base, f"{base}_lower", f"{base}_upper"]
            assert len({BY_NAME[one].unit for one in names[place : place + 3]}) == 1


@pytest.mark.parametrize(("name", "codes"), [("status", Status), ("lifetime_flag", LifetimeFlag)])
def test_codes_carry_their_words(name: str, codes: type[Status] | type[LifetimeFlag]) -> None:
    stored = attributes(BY_NAME[name])
    words = dict(zip(stored["flag_values"], stored["flag_meanings"].split(), strict=True))
    assert words == {code.value: code.name.lower() for code in codes}
    assert all(np.int8(value) == value for value in words)


def test_flags_carry_one_word_a_bit() -> None:
    stored = attributes(BY_NAME["flags"])
    words = dict(zip(stored["flag_masks"], stored["flag_meanings"].split(), strict=True))
    assert set(words.values()) == {str(flag.name).lower() for flag in Flag}
    assert all(mask.bit_count() == 1 for mask in words)
    assert sum(words) == sum(set(words))


def test_an_unknown_column_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="unknown column 'prott'; did you mean 'prot'"):
        check_names(["prott"], BY_NAME)
