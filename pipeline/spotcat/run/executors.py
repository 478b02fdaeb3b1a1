"""Who does the work: this process, or worker processes on this machine.

An executor maps a function over items and yields results as they come.  Another kind of machine needs another
class with the same ``run``, and a line in `make_executor`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from spotcat.config import Site
from spotcat.run.folder import RunFolder
from spotcat.status import RunError

T = TypeVar("T")
R = TypeVar("R")

_IN_FLIGHT = 2
"""Items handed out per worker: one at work and one waiting."""

_MEMORY = 2 * 2**30
"""What one worker process may need [bytes]."""

_DASK = {
    # A worker that dies takes the blame for what it worked on; the third death is no accident.
    "distributed.scheduler.allowed-failures": 2,
    "distributed.scheduler.no-workers-timeout": "120s",
    # Items are few and long: moving them about gains nothing.
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.profile.enabled": False,
}


@dataclass(frozen=True)
class WorkerDied(Generic[T]):
    """In place of a result: every process that worked on this item died."""

    item: T


class Executor(Protocol):
    """A context manager with one method."""

    def run(self, fn: Callable[[T], R], items: Iterable[T]) -> Iterator[R | WorkerDied[T]]:
        """Apply a function to every item; results come in the order in which they are ready.

        Args:
            fn: a function that pickle can find by name, or a partial of one.
            items: few are held at a time.

        Raises:
            RunError: there is no worker left.
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
    return SerialExecutor() if site.executor == "serial" else LocalExecutor(site.workers, n_items)


@contextmanager
def prepared(folder: RunFolder) -> Iterator[None]:
    """Give this process and the workers it starts the environment that fits need, and take it back at the end.

    BLAS and JAX read it when they are first loaded, so it comes before anything imports NumPy.

    Args:
        folder: keeps the compiled programs, unless JAX_COMPILATION_CACHE_DIR says where.
    """
    # All of it, because Dask adds variables of its own.
    before = dict(os.environ)
    os.environ.update(_environment(folder))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _environment(folder: RunFolder) -> dict[str, str]:
    warnings = [os.environ.get("PYTHONWARNINGS", ""), "ignore:resource_tracker:UserWarning"]
    return {
        # Several processes with several BLAS threads each wait for one another a hundred times longer.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": os.environ.get("JAX_COMPILATION_CACHE_DIR", str(folder.compiled.absolute())),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        # XLA takes its own code for another machine's when it reads it back, and says so at length.
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "DASK_LOGGING__DISTRIBUTED": "critical",
        # Python's warning that a process which was killed did not clean up.
        "PYTHONWARNINGS": ",".join(filter(None, warnings)),
    }


class SerialExecutor:
    """One item after the other in this process: the reference for all others."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, fn: Callable[[T], R], items: Iterable[T]) -> Iterator[R | WorkerDied[T]]:
        """Apply a function to every item, in order."""
        yield from map(fn, items)


class LocalExecutor:
    """Worker processes on this machine, one item at a time each.

    Args:
        n_workers: processes; 0 for one per core, as far as the memory goes.
        n_items: more processes than this are not started.
    """

    def __init__(self, n_workers: int, n_items: int) -> None:
        self._n_workers = max(1, min(n_workers or _affordable(), n_items))
        self._stack = ExitStack()
        self._client: Any = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._client = _start(stack, self._n_workers)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, fn: Callable[[T], R], items: Iterable[T]) -> Iterator[R | WorkerDied[T]]:
        """Apply a function to every item, a few at a time per worker."""
        from distributed import as_completed

        waiting = iter(items)
        ready = as_completed(loop=self._client.loop)
        flying: dict[Any, T] = {}

        def submit(count: int) -> None:
            for item in islice(waiting, count):
                future = self._client.submit(fn, item, pure=False)
                flying[future] = item
                ready.add(future)

        submit(self._n_workers * _IN_FLIGHT)
        for future in ready:
            item = flying.pop(future)
            outcome: R | WorkerDied[T] = _outcome(future, item)
            # A result that is kept would be computed again if its worker died.
            future.release()
            submit(1)
            yield outcome


def dask_setup(worker: object) -> None:  # noqa: ARG001 -- Dask passes it
    """Called by Dask in every worker: Ctrl-C is for the driver, which then stops the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _outcome(future: Any, item: T) -> Any:
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError
    from distributed.scheduler import NoValidWorkerError, NoWorkerError

    try:
        return future.result()
    except KilledWorker:
        return WorkerDied(item)
    except (NoWorkerError, NoValidWorkerError):
        raise RunError("no worker process has been alive for two minutes; run again with fewer") from None
    except FutureCancelledError as error:
        raise RunError("the scheduler of the workers died; run again to go on") from error


def _start(stack: ExitStack, n_workers: int) -> Any:
    """A client of a new cluster that ends with the stack."""
    import logging

    import dask
    from distributed import Client, LocalCluster

    stack.enter_context(dask.config.set(_DASK))
    try:
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=":0",
                # Dask would pause a worker for good when JAX keeps its memory.
                memory_limit=0,
                silence_logs=logging.CRITICAL,
                preload=[__name__],
            )
        )
    except (OSError, RuntimeError, TimeoutError) as error:
        raise RunError(f"worker processes cannot be started ({error}); try a site with executor = 'serial'") from error
    return stack.enter_context(Client(cluster, set_as_default=False))


def _affordable() -> int:
    """Worker processes that this machine's cores and memory allow."""
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    return max(1, min(CPU_COUNT, MEMORY_LIMIT // _MEMORY))
