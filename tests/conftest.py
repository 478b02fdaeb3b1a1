"""Fixtures shared by the rooms."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

# As `make test` does, and before NumPy is there: the last bits of a fit depend on the number of BLAS threads.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", NPROC="1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests first: two processes then end together, not one long after the other."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache of compiled programs for all processes of these tests and every one that they start."""
    from spotcat.fit.programs import KEPT_AT
    from spotcat.run.environment import programs

    own = tmp_path_factory.getbasetemp()
    kept = str(programs((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "compiled", "cpu"))
    names = {
        "JAX_COMPILATION_CACHE_DIR": kept,
        KEPT_AT: kept,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",  # XLA warns at length when it reads its own code back
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    """Forget compiled programs before the process has as many pieces of memory as Linux allows.

    XLA maps each program several times, and crashes when it may not.  The tests of one process compile some thousands.
    """
    yield
    from spotcat.fit.compiled import spare_memory_maps

    spare_memory_maps(0.25)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real light curves: $SPOTCAT_DATA, or ../shared/data beside the checkout; skips without."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SPOTCAT_DATA", default))
    if not folder.is_dir():
        pytest.skip("no real light curves: set SPOTCAT_DATA")
    return folder
