"""Where worker processes come from: this machine's cores or GPUs, or a scheduler that runs already."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from spotcat.config import Site
from spotcat.run.environment import ONE_GPU, dask_settings, visible_gpus
from spotcat.status import RunError, RunStopped

_MEMORY = 2 * 2**30
"""What one worker process may need [bytes]."""

_WORKER = {
    "dashboard_address": None,
    # Dask would pause a worker for good when JAX keeps its memory.
    "memory_limit": 0,
    "preload": [__name__],
}


def start_local(stack: ExitStack, site: Site, n_items: int) -> Any:
    """A client of new worker processes on this machine, which end with the stack.

    Args:
        stack: ends what is started.
        site: how many workers, and on which devices.
        n_items: more processes than this are not started.

    Raises:
        RunError: they cannot be started, or no GPU is visible where there should be some.
    """
    import dask
    from distributed import Client, SpecCluster

    stack.enter_context(dask.config.set(_settings(site)))
    workers = dict(enumerate(_nannies(site, n_items)))
    try:
        with interrupts_later():
            cluster = SpecCluster(workers=workers, scheduler=_scheduler(), silence_logs=logging.CRITICAL)
            stack.enter_context(cluster)
    except (OSError, RuntimeError, TimeoutError) as error:
        raise RunError(f"worker processes cannot be started ({error}); try a site with executor = 'serial'") from error
    return stack.enter_context(Client(cluster, set_as_default=False))


def join(stack: ExitStack, site: Site) -> Any:
    """A client of the scheduler that a file names, once it has a worker.

    Raises:
        RunStopped: no scheduler, or no worker, within the site's patience.
    """
    from distributed import Client

    # A scheduler that dies is told in one sentence, not in pages of retries.
    log = logging.getLogger("distributed.client")
    stack.callback(log.setLevel, log.level)
    log.setLevel(logging.CRITICAL)
    end = monotonic() + site.patience
    while not Path(site.scheduler_file).exists():
        if monotonic() > end:
            raise RunStopped(f"{site.scheduler_file}: no scheduler wrote it within {site.patience} s")
        sleep(0.1)
    try:
        client = Client(scheduler_file=site.scheduler_file, timeout=site.patience, set_as_default=False)
        stack.enter_context(client)
        client.wait_for_workers(1, timeout=site.patience)
    except (OSError, ValueError, TimeoutError) as error:
        raise RunStopped(
            f"{site.scheduler_file}: no worker has joined this scheduler within {site.patience} s ({error}); "
            f"see the workers' log"
        ) from error
    return client


def on_gpus(site: Site) -> bool:
    """Whether a site's worker processes have a GPU each."""
    return site.platform == "cuda" or site.slurm.gpus_per_node > 0


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends; processes that it starts, or whose parent it starts, never hear it.

    A cluster that is interrupted while it starts cannot be closed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    # Threads and processes inherit what is blocked; multiprocessing would unblock it where its tracker is started.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def n_workers(site: Site) -> int:
    """Worker processes that this machine has for a site.

    Raises:
        RunError: no GPU is visible where there should be some.
    """
    return 1 if site.executor == "serial" else len(_environments(site))


def dask_setup(worker: object) -> None:  # noqa: ARG001 -- Dask passes it
    """Called by Dask in every worker: Ctrl-C is for the driver, which then stops the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _nannies(site: Site, n_items: int) -> list[dict[str, Any]]:
    """One process that starts, watches and restarts a worker for each worker of a site."""
    from distributed import Nanny

    options = {**_WORKER, "nthreads": 1, "host": "127.0.0.1"}
    return [{"cls": Nanny, "options": {**options, "env": env}} for env in _environments(site)[: max(1, n_items)]]


def _environments(site: Site) -> list[dict[str, str]]:
    """What tells the workers of this machine apart."""
    if on_gpus(site):
        gpus = visible_gpus()
        if not gpus:
            raise RunError("no GPU is visible; set CUDA_VISIBLE_DEVICES, or choose a site without GPUs")
        return [{"CUDA_VISIBLE_DEVICES": gpu, ONE_GPU: "1"} for gpu in gpus]
    return [{}] * (site.workers or _affordable())


def _scheduler() -> dict[str, Any]:
    from distributed import Scheduler

    return {"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, "dashboard_address": ":0"}}


def _settings(site: Site) -> dict[str, object]:
    """Dask's settings in this process."""
    # Dask looks back this long after a death and dismisses a worker that it finds dead again at that moment.
    settings = {**dask_settings(site), "distributed.deploy.lost-worker-timeout": "10000h"}
    return settings | ({"temporary-directory": site.scratch} if site.scratch else {})


def _affordable() -> int:
    """Worker processes that this machine's cores and memory allow."""
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    return max(1, min(CPU_COUNT, MEMORY_LIMIT // _MEMORY))
