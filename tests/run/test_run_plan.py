from __future__ import annotations

from collections import Counter
from itertools import groupby

import numpy as np
import pytest

from spotcat.config import FitConfig
from spotcat.fit.buckets import choose_bucket
from spotcat.run.plan import PILOT, UNFITTED, chunk_size, padding, plan_chunks
from spotcat.status import Status


def _table(n_stars: int, seed: int = 3) -> dict[str, np.ndarray]:
    """Stars of three cadences and lengths, a fifth of which cannot be fitted."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 3, n_stars)
    status = np.where(random.random(n_stars) < 0.2, Status.UNREADABLE, Status.OK)
    return {
        "star_id": np.sort(random.choice(10**12, n_stars, replace=False)),
        "status": status.astype("i1"),
        "span": np.array([27.0, 90.0, 1400.0])[kind],
        "cadence": np.array([0.02, 0.0204, 0.5])[kind],
        "n_segments": np.array([1, 2, 16])[kind],
    }


def test_padding_is_the_unused_part_of_the_grids() -> None:
    table = {
        "star_id": np.array([1, 2, 3]),
        "status": np.array([Status.OK, Status.OK, Status.UNREADABLE], "i1"),
        "span": np.array([149.5, 129.5, 500.0]),
        "cadence": np.full(3, 0.5),
        "n_segments": np.ones(3, int),
    }
    chunks = plan_chunks(table, FitConfig(), 16)
    sizes = sorted(chunk.spec.n_time for chunk in chunks if chunk.spec for _ in chunk.star_ids)
    assert padding(chunks, table) == pytest.approx(1 - (300 + 260) / sum(sizes))


def test_every_star_is_in_one_chunk() -> None:
    table = _table(UNFITTED * 6)
    chunks = plan_chunks(table, FitConfig(), 16)
    counts = Counter(star_id for chunk in chunks for star_id in chunk.star_ids)
    assert set(counts.values()) == {1}
    assert sorted(counts) == table["star_id"].tolist()
    unfitted = [chunk for chunk in chunks if chunk.spec is None]
    assert len(unfitted) > 1
    assert {star_id for chunk in unfitted for star_id in chunk.star_ids} == set(
        table["star_id"][table["status"] != Status.OK].tolist()
    )
    assert max(len(chunk.star_ids) for chunk in unfitted) == UNFITTED


@pytest.mark.parametrize(
    ("n_stars", "platform", "size"),
    [
        *((0, "cpu", 16), (19, "cpu", 16), (200, "cpu", 16), (8191, "cpu", 16), (8192, "cpu", 32)),
        *((34_000, "cpu", 128), (1_000_000, "cpu", 1024), (10**9, "cpu", 1024)),
        *((200, "cuda", 256), (200_000, "cuda", 512), (300_000, "cuda", 1024)),
    ],
)
def test_chunks_grow_with_the_survey(n_stars: int, platform: str, size: int) -> None:
    assert chunk_size(n_stars, platform) == size


def test_the_first_chunk_of_a_large_bucket_is_small() -> None:
    """All others wait until it has compiled their programs."""
    chunks = [chunk for chunk in plan_chunks(_table(900), FitConfig(), 64) if chunk.spec]
    buckets = [[len(chunk.star_ids) for chunk in group] for _, group in groupby(chunks, key=lambda chunk: chunk.spec)]
    assert len(buckets) == 3
    for first, *others in buckets:
        assert first == PILOT
        assert set(others[:-1]) == {64} and 0 < others[-1] <= 64


def test_four_workers_have_work_in_a_small_survey_and_a_large_one_has_a_thousand_parts() -> None:
    few = {name: values[:200] for name, values in _table(400).items()}
    fitted = [chunk for chunk in plan_chunks(few, FitConfig(), chunk_size(200)) if chunk.spec]
    assert len(fitted) >= 3 * 4
    assert -(-1_000_000 // chunk_size(1_000_000)) < 1000


def test_the_stars_of_a_chunk_share_their_bucket() -> None:
    table, config, size = _table(400), FitConfig(), 8
    row_of = {star_id: row for row, star_id in enumerate(table["star_id"].tolist())}
    fitted = [chunk for chunk in plan_chunks(table, config, size) if chunk.spec is not None]
    for chunk in fitted:
        for star_id in chunk.star_ids:
            row = row_of[star_id]
            span = float(table["span"][row])
            n_segments = int(table["n_segments"][row])
            assert choose_bucket(span, float(table["cadence"][row]), n_segments, config) == chunk.spec
    specs = [chunk.spec for chunk in fitted if chunk.spec is not None]
    assert specs == sorted(specs, key=lambda spec: (-spec.n_time, spec.dt, spec.n_segments))
    # Only the last chunk of a bucket may be short.
    short = [chunk.spec for chunk in fitted if len(chunk.star_ids) < size]
    assert len(short) == len(set(short))


def test_the_plan_does_not_depend_on_the_order_of_the_rows() -> None:
    table = _table(300)
    order = np.random.default_rng(1).permutation(300)
    shuffled = {name: values[order] for name, values in table.items()}
    assert plan_chunks(shuffled, FitConfig(), 16) == plan_chunks(table, FitConfig(), 16)


def test_names_number_the_chunks() -> None:
    chunks = plan_chunks(_table(200), FitConfig(), 16)
    assert [chunk.name for chunk in chunks] == [f"chunk-{number:05d}" for number in range(len(chunks))]


def test_a_survey_without_stars_has_no_chunks() -> None:
    assert plan_chunks({name: values[:0] for name, values in _table(5).items()}, FitConfig(), 16) == []
