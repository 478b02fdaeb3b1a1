"""What chunks cost: fits in proportion to their grids, and programs first, on which small surveys spend most.

Prices are those of chunks that the run has done, else stored ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spotcat.fit.buckets import BucketSpec
    from spotcat.run.plan import Chunk

POINT = 0.1 / 300
"""Time of one core for each star and grid point [s]: tests/benchmarks/RESULTS.md, 300 points."""
PROGRAMS = 8
"""Programs of a bucket: the same table, in brackets."""
COMPILED = 30 / 7
"""Time to compile a program [s]: tests/benchmarks/programs.py on a busy machine."""
READ_BACK = 3.5 / 7
"""Time to load one that another process has compiled [s]: the same.  ``program_seconds`` in the report of any run has
both on the clock."""

_OVERDUE = 0.1
"""What takes longer than it should goes on for this part of the time that it has taken."""


@dataclass(frozen=True)
class Prices:
    """What the parts of a chunk cost.

    Attributes:
        grids: bucket, and time for each star and grid point [s], of chunks that neither compiled nor loaded a program.
        compiled: time to compile a program [s].
        read_back: time to load one that is compiled [s].
        programs: programs of a bucket, by bucket.
    """

    grids: tuple[tuple[BucketSpec, float], ...] = ()
    compiled: float = COMPILED
    read_back: float = READ_BACK
    programs: Mapping[BucketSpec, int] | None = None

    def fit(self, chunk: Chunk) -> float:
        """Time that the fits of a chunk take [s]: as those of its bucket, or of all, in proportion to its grid."""
        if not chunk.spec:
            return 0.0
        own = [cost for spec, cost in self.grids if spec == chunk.spec]
        own = own or [cost for _, cost in self.grids] or [POINT]
        return median(own) * chunk.spec.n_time * len(chunk.star_ids)

    def count(self, spec: BucketSpec) -> float:
        """How many programs a bucket needs: what it needed so far, or what others do."""
        known = self.programs or {}
        return known.get(spec) or (median(known.values()) if known else PROGRAMS)


def learn(chunks: Iterable[Chunk], results: Mapping[str, Mapping[str, Any]]) -> Prices:
    """The prices of a run.

    Args:
        chunks: its plan.
        results: by chunk what the drivers noted when it was done: ``seconds``, ``compiled`` and ``read_back``.
    """
    done = [(chunk, chunk.spec, results[chunk.name]) for chunk in chunks if chunk.spec and chunk.name in results]
    grids = tuple(
        (spec, result["seconds"] / (spec.n_time * len(chunk.star_ids)))
        for chunk, spec, result in done
        if not result["compiled"] + result["read_back"]
    )
    warm = Prices(grids)
    beside = [(result["seconds"] - warm.fit(chunk), result) for chunk, _, result in done]
    loading = [(time, result["read_back"]) for time, result in beside if result["read_back"] and not result["compiled"]]
    read_back = _price(loading, READ_BACK)
    compiling = [
        (time - read_back * result["read_back"], result["compiled"]) for time, result in beside if result["compiled"]
    ]
    compiled = _price(compiling, COMPILED)
    if compiling and not loading:
        # A slow machine loads slowly, too.
        read_back = READ_BACK * compiled / COMPILED
    programs: dict[BucketSpec, int] = {}
    for _, spec, result in done:
        needed = result["compiled"] + result["read_back"]
        if needed:
            programs[spec] = max(programs.get(spec, 0), needed)
    return Prices(grids, compiled, read_back, programs)


def _price(costs: Sequence[tuple[float, int]], stored: float) -> float:
    """Time for each of some programs [s]."""
    time, count = sum(time for time, _ in costs), sum(count for _, count in costs)
    return time / count if count and time > 0 else stored


@dataclass(frozen=True)
class Estimate:
    """What chunks will take: time of all workers, how much of it for programs, and on the clock [s]."""

    work: float
    programs: float
    wall: float


@dataclass(frozen=True)
class Now:
    """What the processes of a run are at.

    Attributes:
        spent: by name the time that chunks at work have taken [s].
        loaded: how many processes have the programs of a bucket.
    """

    spent: Mapping[str, float] = field(default_factory=dict)
    loaded: Counter[BucketSpec | None] = field(default_factory=Counter)


def loaded_by(chunks: Iterable[Chunk], results: Mapping[str, Mapping[str, Any]]) -> Counter[BucketSpec | None]:
    """How many processes have the programs of each bucket, by what they noted of the chunks that they have done."""
    return Counter(
        chunk.spec
        for chunk in chunks
        if chunk.name in results and results[chunk.name]["compiled"] + results[chunk.name]["read_back"]
    )


def estimate(
    chunks: Sequence[Chunk], pilots: Collection[str], prices: Prices, n_workers: int, now: Now | None = None
) -> Estimate:
    """What the rest of a run will take.

    Args:
        chunks: what is left to do.
        pilots: names of those that compile their bucket's programs, which are done before the others.
        prices: of fits and programs.
        n_workers: how many processes work on them.
        now: what these processes are at; nothing if None.
    """
    now = now or Now()
    first: list[float] = []
    rest: list[float] = []
    programs = total = 0.0
    piloted = {chunk.spec for chunk in chunks if chunk.name in pilots}
    # Every process loads a bucket's programs once, but for the one that compiles them; those at work come first.
    loading = {spec: n_workers - now.loaded[spec] - (spec in piloted) for spec in {chunk.spec for chunk in chunks}}
    for chunk in sorted(chunks, key=lambda chunk: chunk.name not in now.spent):
        begin = 0.0
        if chunk.spec and chunk.name in pilots:
            begin = prices.compiled * prices.count(chunk.spec)
        elif chunk.spec and loading[chunk.spec] > 0:
            loading[chunk.spec] -= 1
            begin = prices.read_back * prices.count(chunk.spec)
        cost, taken = prices.fit(chunk) + begin, now.spent.get(chunk.name, 0.0)
        total += cost
        programs += begin
        (first if chunk.name in pilots else rest).append(max(cost - taken, _OVERDUE * taken))
    return Estimate(total, programs, _wall(first, n_workers) + _wall(rest, n_workers))


def _wall(costs: Sequence[float], n_workers: int) -> float:
    """Time on the clock of some pieces of work [s]: no less than the longest takes."""
    return max(sum(costs) / max(n_workers, 1), max(costs, default=0.0))
