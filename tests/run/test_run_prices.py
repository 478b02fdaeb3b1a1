"""What chunks cost, learnt from those that are done; no fit is needed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from spotcat.fit.buckets import BucketSpec
from spotcat.run.plan import Chunk
from spotcat.run.prices import COMPILED, POINT, PROGRAMS, READ_BACK, Now, Prices, estimate, learn, loaded_by

SHORT, LONG = BucketSpec(300, 0.5, 1), BucketSpec(2048, 0.5, 18)


def _chunk(number: int, spec: BucketSpec | None = SHORT, n_stars: int = 16) -> Chunk:
    return Chunk(f"chunk-{number}", tuple(range(100 * number, 100 * number + n_stars)), spec)


def _result(seconds: float, compiled: int = 0, read_back: int = 0) -> dict[str, Any]:
    return {"seconds": seconds, "compiled": compiled, "read_back": read_back}


CHUNKS = [_chunk(number) for number in range(4)]


def test_the_prices_of_a_run_are_told_apart() -> None:
    """A chunk takes 8 s, a program 15 s to compile and 3 s to load, of which the bucket has seven."""
    results = {"chunk-0": _result(8 + 7 * 15, 7), "chunk-1": _result(8 + 7 * 3, 0, 7), "chunk-2": _result(8)}
    prices = learn([*CHUNKS, _chunk(9, None)], results)
    assert (prices.compiled, prices.read_back, prices.count(SHORT)) == pytest.approx((15, 3, 7))
    assert prices.fit(_chunk(9, n_stars=8)) == pytest.approx(4)
    assert prices.fit(_chunk(9, LONG)) == pytest.approx(8 * 2048 / 300)
    assert prices.fit(_chunk(9, None)) == 0
    # What another bucket needs is not known; as many as this one.
    assert prices.count(LONG) == 7
    # Nothing but the first chunk: the stored price of fits, and loading as dear as compiling makes it.
    first = learn(CHUNKS, {"chunk-0": _result(16 * 300 * POINT + 8 * 2 * COMPILED, 8)})
    assert (first.compiled, first.read_back) == pytest.approx((2 * COMPILED, 2 * READ_BACK))


@pytest.mark.parametrize(
    "results",
    [{}, {"chunk-7": _result(5.0, 3)}, {"chunk-0": _result(0.0, 8)}, {"chunk-0": _result(0.0, 0, 8)}],
    ids=["none", "of another plan", "faster than its fits", "loaded in no time"],
)
def test_stored_prices_stand_in(results: dict[str, Any]) -> None:
    prices = learn(CHUNKS, results)
    assert (prices.compiled, prices.read_back) == (COMPILED, READ_BACK)
    assert prices.fit(CHUNKS[0]) == pytest.approx(16 * 300 * POINT)


def test_programs_are_priced() -> None:
    prices = Prices(((SHORT, 10 / 4800),), 20.0, 2.0, {SHORT: 5})
    # One worker compiles while the other waits; then three chunks, the other worker loads first.
    found = estimate(CHUNKS, {"chunk-0"}, prices, 2)
    assert found.work == pytest.approx(4 * 10 + 5 * 20 + 5 * 2)
    assert found.programs == pytest.approx(5 * 20 + 5 * 2)
    assert found.wall == pytest.approx(110 + 20)
    # Alone, nobody loads.
    alone = estimate(CHUNKS, {"chunk-0"}, prices, 1)
    assert alone.work == alone.wall == pytest.approx(140)
    # Compiled before: each of the workers that get a chunk loads, and nobody else.
    again = estimate(CHUNKS, set(), prices, 3)
    assert again.programs == pytest.approx(3 * 10)
    assert estimate(CHUNKS, set(), prices, 99).programs == pytest.approx(4 * 10)
    # Two buckets are compiled at the same time.
    both = [*CHUNKS, _chunk(5, replace(SHORT, n_segments=4))]
    assert estimate(both, {"chunk-0", "chunk-5"}, prices, 2).wall == pytest.approx(110 + 20)
    assert estimate([], set(), prices, 2).wall == 0


def test_what_is_at_work_counts_for_what_is_left_of_it() -> None:
    prices = Prices(((SHORT, 10 / 4800),), 20.0, 2.0, {SHORT: 5})
    spent = {"chunk-0": 90.0}
    assert estimate(CHUNKS, {"chunk-0"}, prices, 2, Now(spent)).wall == pytest.approx(20 + 20)
    # A chunk that should have been done goes on for a while.
    late = estimate(CHUNKS, {"chunk-0"}, prices, 2, Now({"chunk-0": 200.0}))
    assert 10 < late.wall - 20 <= 20
    # The last two chunks, one of whose workers was loading: 12 of 20 s gone, 4 of 10 s.
    now = Now({"chunk-2": 12.0, "chunk-3": 4.0}, Counter({SHORT: 1}))
    assert estimate(CHUNKS[2:], set(), prices, 2, now).wall == pytest.approx(8)
    loaded = loaded_by(CHUNKS, {"chunk-0": _result(9, 5), "chunk-1": _result(9, 0, 5), "chunk-2": _result(9)})
    assert loaded == Counter({SHORT: 2})


def test_a_compiling_first_chunk_is_not_what_the_others_take() -> None:
    """Sixty chunks of 10 s, the first of which takes 110 s: after it, 295 s by two workers and not 59 times as long."""
    chunks = [_chunk(number) for number in range(60)]
    prices = learn(chunks, {"chunk-0": _result(110, 5), "chunk-1": _result(20, 0, 5), "chunk-2": _result(10)})
    now = Now(loaded=Counter({SHORT: 2}))
    assert estimate(chunks[3:], set(), prices, 2, now).wall == pytest.approx(57 * 10 / 2)
    assert PROGRAMS * COMPILED > 30
