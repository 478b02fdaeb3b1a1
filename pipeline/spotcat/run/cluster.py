"""Where worker processes come from: this machine's cores or GPUs, or a scheduler that runs already."""

from __future__ import annotations

import asyncio
import json
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
from spotcat.status import InputError, RunError, RunStopped

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
    address = _scheduler_at(Path(site.scheduler_file), end, site.patience)
    left = max(end - monotonic(), 1.0)
    try:
        client = Client(address, timeout=left, set_as_default=False)
        stack.enter_context(client)
        client.wait_for_workers(1, timeout=left)
    except (OSError, ValueError, TimeoutError) as error:
        raise RunStopped(
            f"{site.scheduler_file}: no worker has joined this scheduler within {site.patience} s ({error}); "
            f"see the workers' log"
        ) from error
    return client


def _scheduler_at(file: Path, end: float, patience: int) -> str:
    """The address in a scheduler's file, once a scheduler answers there.

    Until then the file may be missing, written by half, or left by a scheduler that is gone.

    Raises:
        RunStopped: none does before `end`.
    """
    while True:
        address = ""
        try:
            address = _address(file)
            if asyncio.run(_kind_of(address, max(end - monotonic(), 0.1))) == "Scheduler":
                return address
            trouble = f"what answers at {address} is no Dask scheduler"
        except InputError as error:
            trouble = str(error)
        # Another server's answer may break the protocol in any way.
        except Exception as error:
            reason = " ".join(str(error).split()) or "no answer"
            trouble = f"no Dask scheduler answers at {address} ({type(error).__name__}: {reason[:200]})"
        if monotonic() > end:
            raise RunStopped(f"{file}: {trouble}, for {patience} s; start one that writes this file, and run again")
        sleep(0.1)


def _address(file: Path) -> str:
    """The address in a scheduler's file.

    Raises:
        InputError: there is none, with the reason.
    """
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise InputError("no scheduler wrote it") from None
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise InputError("it is not what a scheduler writes (not JSON)") from None
    address = content.get("address") if isinstance(content, dict) else None
    if not isinstance(address, str) or not address:
        raise InputError("it is not what a scheduler writes (no address)")
    return address


async def _kind_of(address: str, patience: float) -> str:
    """What kind of server of Dask's answers at an address: Scheduler, Worker or Nanny."""
    from distributed.core import connect
    from distributed.security import Security

    async def ask() -> str:
        comm = await connect(address, timeout=patience, **Security().get_connection_args("client"))
        try:
            await comm.write({"op": "identity", "reply": True})
            answer = await comm.read()
            return str(answer["type"])
        finally:
            comm.abort()

    return await asyncio.wait_for(ask(), patience)


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
