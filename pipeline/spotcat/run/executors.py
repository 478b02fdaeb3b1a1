"""Who does the work: this process, worker processes on this machine, or workers that joined a scheduler.

An executor maps a function over items and yields results as they come.  Another kind of machine needs another
way to get a client, and a line in `make_executor`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from time import monotonic
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from spotcat.config import Site
from spotcat.run.progress import LOG
from spotcat.status import RunStopped

T = TypeVar("T")
R = TypeVar("R")

_COUNT_EVERY = 1.0
"""How often workers are counted [s]."""


@dataclass(frozen=True)
class WorkerDied(Generic[T]):
    """In place of a result: every process that worked on this item died."""

    item: T


class Executor(Protocol):
    """A context manager with one method and the number of its workers."""

    n_workers: int

    def run(self, fn: Callable[[T], R], items: Iterable[T]) -> Iterator[R | WorkerDied[T]]:
        """Apply a function to every item; results come in the order in which they are ready.

        Args:
            fn: a function that pickle can find by name, or a partial of one.
            items: taken when a worker is free, so that an iterator that ends early ends the run.

        Raises:
            RunStopped: there is no worker left.
            Exception: whatever `fn` raised; what was not yet done is given up.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_executor(site: Site, n_items: int) -> Executor:
    """The executor that a site asks for; enter it within `prepared`.

    Args:
        site: where to run.
        n_items: more workers than this have nothing to do.
    """
    from spotcat.run.cluster import join, start_local

    if site.executor == "serial":
        return SerialExecutor()
    if site.executor == "scheduler":
        return DaskExecutor(partial(join, site=site), site.patience)
    return DaskExecutor(partial(start_local, site=site, n_items=n_items), site.patience)


class SerialExecutor:
    """One item after the other in this process: the reference for all others."""

    n_workers = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, fn: Callable[[T], R], items: Iterable[T]) -> Iterator[R | WorkerDied[T]]:
        """Apply a function to every item, in order."""
        yield from map(fn, items)


class DaskExecutor:
    """Worker processes under a Dask scheduler, one item at a time each.

    No item waits at a worker: none is blamed for a neighbour's crash, and a worker that dies loses one.

    Args:
        connect: makes a client whose workers end with a stack of contexts.
        patience: how long there may be no worker [s].
    """

    def __init__(self, connect: Callable[[ExitStack], Any], patience: int) -> None:
        self._connect = connect
        self._patience = patience
        self._stack = ExitStack()
        self._client: Any = None
        self._counted = 0.0
        self.n_workers = 1

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._client = self._connect(stack)
            self._stack = stack.pop_all()
        self._count()
        # Dask has a dashboard where bokeh is installed.
        if find_spec("bokeh"):
            LOG.info("dashboard: %s", self._client.dashboard_link)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, fn: Callable[[T], R], items: Iterable[T]) -> Iterator[R | WorkerDied[T]]:
        """Apply a function to every item, as many at a time as there are workers."""
        waiting = iter(items)
        ready: SimpleQueue[Any] = SimpleQueue()
        flying: dict[Any, T] = {}

        def top_up() -> None:
            self._count()
            while len(flying) < self.n_workers:
                for item in waiting:
                    future = self._client.submit(fn, item, pure=False)
                    flying[future] = item
                    future.add_done_callback(ready.put)
                    break
                else:
                    return

        top_up()
        while flying:
            try:
                future = ready.get(timeout=_COUNT_EVERY)
            except Empty:
                # Workers may have joined.
                top_up()
                continue
            item = flying.pop(future)
            outcome = self._outcome(future, item)
            # A result that is kept would be computed again if its worker died.
            future.release()
            top_up()
            yield outcome

    def _count(self) -> None:
        if monotonic() - self._counted < _COUNT_EVERY:
            return
        try:
            self.n_workers = max(1, len(self._client.nthreads()))
        except (OSError, TimeoutError) as error:
            raise RunStopped("the scheduler of the workers died; run again to go on") from error
        self._counted = monotonic()

    def _outcome(self, future: Any, item: T) -> Any:
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError
        from distributed.scheduler import NoValidWorkerError, NoWorkerError

        try:
            return future.result()
        except KilledWorker:
            return WorkerDied(item)
        except (NoWorkerError, NoValidWorkerError):
            raise RunStopped(f"no worker process has been alive for {self._patience} s; run again to go on") from None
        except (FutureCancelledError, CommClosedError) as error:
            raise RunStopped("the scheduler of the workers died; run again to go on") from error
