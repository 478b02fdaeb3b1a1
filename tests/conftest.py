"""Fixtures shared by the rooms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real light curves: $SPOTCAT_DATA, or ../shared/data beside the checkout; skips without."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SPOTCAT_DATA", default))
    if not folder.is_dir():
        pytest.skip("no real light curves: set SPOTCAT_DATA")
    return folder
