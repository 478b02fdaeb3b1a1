"""A catalog against published periods, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spotcat.catalog.published import Published, Source
from spotcat.check.literature import agreement, in_words
from spotcat.status import Flag

SOURCE = Source("Somebody 2020", "2020X", "A table", "KIC", "id", "P")


def test_every_star_is_counted_once_and_unflagged_ones_that_differ_are_listed() -> None:
    found = {
        "name": np.array(["KIC 1", "KIC 2", "KIC 3", "KIC 4", "KIC 5", "KIC 6", "KIC 7"]),
        "prot": np.array([10.2, 10.8, 5.1, 20.4, 33.0, 10.0, 10.0]),
        "rotating": np.array([1, 1, 1, 1, 1, 0, 1]),
        "flags": np.array([0, 0, Flag.ALIAS_POSSIBLE, 0, Flag.FEW_CYCLES, 0, 0]),
    }
    got = agreement(found, {f"kic{number}": Published(10.0, "") for number in range(1, 7)})
    assert (got.n_common, got.n_rotating) == (6, 5)
    assert (got.close, got.near, got.half, got.double) == (0.2, 0.4, 0.2, 0.2)
    # Half the period is flagged as possible; 33 d is flagged, but not as an alias.
    assert [outlier.name for outlier in got.outliers] == ["KIC 2", "KIC 4", "KIC 5"]
    words = in_words(SOURCE, got)
    assert "Somebody 2020 (2020X): 6 common stars, 5 called rotators" in words
    assert "fewer than three rotations" in words


def test_a_flag_that_says_something_of_the_settings_alone_hides_no_star() -> None:
    found = {"name": np.array(["KIC 1", "KIC 2"]), "prot": np.array([10.2, 20.0]), "rotating": np.array([1, 1])}
    published = {f"kic{number}": Published(10.0, "") for number in (1, 2)}
    for flag in (0, Flag.UNCALIBRATED):
        (outlier,) = agreement(found | {"flags": np.full(2, int(flag))}, published).outliers
        assert outlier.name == "KIC 2"
    assert agreement(found | {"flags": np.full(2, int(Flag.ALIAS_POSSIBLE))}, published).outliers == ()


@pytest.mark.parametrize(("names", "rotating"), [([], []), (["KIC 9"], [1]), (["KIC 1"], [0])])
def test_nothing_is_said_of_fractions_of_no_stars(names: list[str], rotating: list[int]) -> None:
    found = {"name": np.array(names), "prot": np.full(len(names), 10.0), "rotating": np.array(rotating, int)}
    found["flags"] = np.zeros(len(names), int)
    words = in_words(SOURCE, agreement(found, {"kic1": Published(10.0, "")}))
    assert words.endswith("common stars, 0 called rotators" if rotating != [1] else "0 common stars, 0 called rotators")
