"""Real stars: periods as published, and no rotation where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from spotcat.config import FitConfig, InputConfig, Recipe, SurveyConfig
from spotcat.fit.buckets import choose_bucket
from spotcat.fit.engine import fit_stars
from spotcat.status import Flag

CONFIG = FitConfig()
KNOWN = [
    ("KIC 2157356", 13.607), ("KIC 9726699", 0.5926), ("KIC 10002792", 1.165),
    ("EPIC 211015853", 2.7573), ("EPIC 211117077", 3.0034), ("TIC 129636548", 3.10),
]  # fmt: skip
FILES = ("kepler/kplr002157356-*", "kepler/kplr009726699-*", "kepler/kplr010002792-2010174085026*",
         "k2/ktwo211015853-*", "k2/ktwo211117077-*", "tess/*129636548*",
         "kepler/kplr009579641-*", "kepler/kplr008462852-*", "k2/ktwo211719918-*", "k2/ktwo211841249-*")  # fmt: skip
NO_ROTATORS = ("KIC 9579641", "KIC 8462852")
"""A star without a period in Santos et al. (2021, ApJS 255, 17), and one whose dips are no rotation."""
STRICT = ("EPIC 211719918", "EPIC 211841249")
"""Pulsators or binaries: more periodic than spots are."""


def fitted(files: Iterable[Path], folder: Path) -> dict[str, dict[str, float]]:
    """Some columns of the stars in some files, by their names."""
    from spotcat.ingest.pipeline import ingest
    from spotcat.ingest.store import LightCurveStore

    recipe = Recipe(SurveyConfig("real", str(folder), 1), InputConfig(files=tuple(map(str, files))))
    ingest(recipe, folder / "lightcurves.zarr", lambda *_: None)
    store = LightCurveStore(folder / "lightcurves.zarr")
    rows = {}
    for i, name in enumerate(store.stars["name"].tolist()):
        light_curve = store.read([store.stars["star_id"][i]])[0]
        span, segments = float(store.stars["span"][i]), int(light_curve.segment.max()) + 1
        spec = choose_bucket(span, float(store.stars["cadence"][i]), segments, CONFIG)
        columns = fit_stars([light_curve], spec, CONFIG).columns
        rows[name] = {key: columns[key][0].item() for key in ("prot", "rotating", "flags")}
    return rows


@pytest.mark.slow
@pytest.mark.real
def test_real_stars_rotate_with_their_published_periods_or_do_not_rotate(real_data: Path, tmp_path: Path) -> None:
    rows = fitted((real_data / pattern for pattern in FILES), tmp_path)
    assert rows.keys() == {*dict(KNOWN), *NO_ROTATORS, *STRICT}
    differs = {name: float(rows[name]["prot"] / period - 1) for name, period in KNOWN}
    print({name: f"{d:+.1%}" for name, d in differs.items()})
    assert max(abs(d) for d in differs.values()) < 0.05, differs
    assert all(rows[name]["rotating"] for name, _ in KNOWN)
    assert not any(rows[name]["rotating"] for name in NO_ROTATORS)
    assert all(int(rows[name]["flags"]) & Flag.STRICTLY_PERIODIC for name in STRICT)


@pytest.mark.slow
@pytest.mark.real
def test_a_flaring_star_seen_in_five_sectors_of_two_years_has_one_period(real_data: Path, tmp_path: Path) -> None:
    rows = fitted([real_data / "tess/*461654150*"], tmp_path)
    assert rows.keys() == {"TIC 461654150"}
    # The one peak of the periodogram of every sector.
    assert rows["TIC 461654150"]["prot"] == pytest.approx(0.345, rel=0.01)
