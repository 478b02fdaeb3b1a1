"""Damaged files by the dozen: no crash, each refused or flagged with a reason, their neighbours unharmed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hostile import DAMAGES, write_hostile
from ingest_files import TWO_MINUTES, make_recipe, run_ingest, signal, star_row, write_official

from spotcat.ingest.identity import parse_name
from spotcat.ingest.store import LightCurveStore
from spotcat.status import Status

INVISIBLE = {"bits flipped", "overwritten", "NaN times", "NaN fluxes", "one time", "constant", "stuck"}
"""Damage that may leave a sound file with a few other, plausible numbers."""


def undamaged(folder: Path) -> list[Path]:
    write_official(folder / "kplr002000000-2010265121752_llc.fits", "Kepler", 2000000, 6, signal(start=560))
    write_official(folder / "ktwo201000000-c04_llc.fits", "K2", 201000000, 4, signal(start=2230, seed=3))
    tess = folder / "tess2018206045859-s0001-0000000300000000-0120-s_lc.fits"
    write_official(tess, "TESS", 300000000, 1, signal(start=1330, step=TWO_MINUTES, seed=3))
    return sorted(folder.glob("*.fits"))


def check(folder: Path, sources: Sequence[Path], n_files: int, seed: int) -> dict[str, int]:
    """Ingest damaged copies beside their sources; returns how many ended how."""
    hostile = folder / "hostile"
    hostile.mkdir()
    done = write_hostile(hostile, sources, n_files, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, store = run_ingest(make_recipe(hostile, *sources), folder / "store")
        _, alone = run_ingest(make_recipe(*sources), folder / "alone")
    assert store.stars["star_id"].size == n_files + len(sources)
    for star_id in alone.stars["star_id"].tolist():
        one, other = alone.read([star_id])[0], store.read([star_id])[0]
        np.testing.assert_array_equal(one.flux, other.flux)
        (index,) = np.flatnonzero(store.stars["star_id"] == star_id)
        assert (store.stars["status"][index], store.stars["flags"][index]) == (Status.OK, 0)
    ends = {"refused": 0, "flagged": 0, "sound": 0}
    for file, (name, kind, source) in done.items():
        ends[_end_of(store, alone, name, kind, source, file)] += 1
    return ends


def _end_of(store: LightCurveStore, alone: LightCurveStore, name: str, kind: str, source: Path, file: str) -> str:
    row = star_row(store, name)
    words = f"{file} ({kind})"
    if row["status"] != Status.OK:
        assert file in row["reason"], words
        return "refused"
    if row["flags"]:
        return "flagged"
    # Whatever is neither refused nor flagged must be what the source holds, but for what no reader can see.
    (curve,) = store.read([row["star_id"]])
    identity = parse_name(name)
    assert identity is not None
    (index,) = np.flatnonzero(alone.stars["mission"] == identity.mission)
    (original,) = alone.read([alone.stars["star_id"][index]])
    assert np.isfinite(curve.flux).all() and np.all(np.diff(curve.time) > 0), words
    if kind not in INVISIBLE:
        np.testing.assert_array_equal(curve.time, original.time, err_msg=words)
        np.testing.assert_array_equal(curve.flux, original.flux, err_msg=words)
    assert np.isin(curve.time, original.time).mean() > 0.8, words
    return "sound"


def test_a_sample_of_damaged_files(tmp_path: Path) -> None:
    ends = check(tmp_path, undamaged(tmp_path), 3 * len(DAMAGES), seed=0)
    assert min(ends.values()) > 0
    assert ends["refused"] > len(DAMAGES)


@pytest.mark.real
@pytest.mark.slow
def test_three_hundred_damaged_real_files(real_data: Path, tmp_path: Path) -> None:
    names = (
        "kepler/kplr002157356-2010265121752_llc.fits",
        "k2/ktwo211015853-c04_llc.fits",
        "tess/tess2018206045859-s0001-0000000358108509-0120-s_lc.fits",
    )
    ends = check(tmp_path, [real_data / name for name in names], 300, seed=1)
    assert sum(ends.values()) == 300 and min(ends.values()) > 0
