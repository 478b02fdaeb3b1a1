"""A site's workers as a plain function that maps, for stages that know nothing of executors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from spotcat.config import Site
from spotcat.run.executors import Executor, WorkerDied, make_executor
from spotcat.status import RunError

_WORTH = 16
"""Fewer tasks than this are done before workers have started."""


@contextmanager
def mapping(site: Site) -> Iterator[Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]]:
    """A function that maps over items: in this process, or by the site's workers once there is work enough.

    Its results come in any order.  It raises what the mapped function raises, and `RunError` where items end the
    processes that work on them.
    """
    with ExitStack() as stack:
        executor: Executor | None = None

        def mapper(fn: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
            nonlocal executor
            if executor is None and len(items) < _WORTH:
                yield from map(fn, items)
                return
            executor = executor or stack.enter_context(make_executor(site, len(items)))
            for outcome in executor.run(fn, items):
                if isinstance(outcome, WorkerDied):
                    raise RunError("some light curves end the process that reads them; try a site with one process")
                yield outcome

        yield mapper
