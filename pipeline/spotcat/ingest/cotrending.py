"""Cotrending basis vectors: the systematics that the stars of a detector share, as the missions deliver them."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.ingest.discover import expand
from spotcat.ingest.reference import quiet_lightkurve
from spotcat.ingest.vectors import Vectors, detector_of
from spotcat.status import InputError

KEY = "clean.cotrending"

_CAMPAIGNS = (("QUARTER", "kepler"), ("CAMPAIGN", "k2"), ("SECTOR", "tess"))
_GROUP = re.compile(r"(kepler|k2|tess)/[a-z](\d+)-(\d+)s")
_DAY = 86400.0


class Cotrending:
    """The files of a recipe.

    Args:
        entries: globs or folders of the missions' files of vectors.
        n_vectors: how many of each detector to take, those that explain most first.

    Raises:
        InputError: an entry matches no file, or a file holds no vectors.
    """

    def __init__(self, entries: Sequence[str], n_vectors: int) -> None:
        self.paths = sorted({path for entry in entries for path in expand(entry, KEY)})
        self._n_vectors = n_vectors
        self._files: dict[tuple[str, int], list[Path]] = defaultdict(list)
        for path in self.paths:
            self._files[_campaign_of(path)].append(path)

    def of(self, group: str, observed: str) -> Vectors:
        """The vectors for a mission's light curve.

        Args:
            group: its campaign in the store.
            observed: its detector, as a row table has it: ``quarter=5 channel=3`` or ``sector=14 camera=1 ccd=2``.

        Raises:
            InputError: no file has them.
        """
        match = _GROUP.fullmatch(group)
        place = {name: int(number) for name, number in (part.split("=") for part in observed.split())}
        for path in self._files.get((match[1], int(match[2])), ()) if match else ():
            found = _read(path, place, self._n_vectors)
            if found is not None and match and abs(found[1] / int(match[3]) - 1) < 0.1:
                return found[0]
        raise InputError(f"{KEY}: no file has vectors for {group}, {detector_of(observed)}; add it, or leave {KEY} out")


def _campaign_of(path: Path) -> tuple[str, int]:
    """The mission and the campaign of a file."""
    from astropy.io import fits

    try:
        with fits.open(path) as hdus:
            header, names = hdus[0].header, [hdu.name for hdu in hdus]
            for card, mission in _CAMPAIGNS:
                if card in header and any(name.startswith(("MODOUT_", "CBV.")) for name in names):
                    return mission, int(header[card])
    except MemoryError:
        raise
    # A damaged file makes astropy raise almost anything.
    except Exception:
        pass
    raise InputError(f"{path}: holds no cotrending basis vectors of Kepler, K2 or TESS; see {KEY}")


def _read(path: Path, place: dict[str, int], n_vectors: int) -> tuple[Vectors, float] | None:
    """A detector's vectors of one file and their cadence [s]; None if it has none."""
    from astropy.io import fits

    with quiet_lightkurve() as lightkurve, fits.open(path) as hdus:
        table = _by_lightkurve(lightkurve, hdus, place)
    names = [] if table is None else [f"VECTOR_{k + 1}" for k in range(n_vectors)]
    names = [name for name in names if name in table.colnames]
    if not names:
        return None
    values = np.stack([np.asarray(table[name].value, dtype=np.float32) for name in names], axis=1)
    cadence = np.asarray(table.cadenceno.value, dtype=np.int32)
    good = ~np.asarray(table.gap_indicators.value, dtype=bool) & np.isfinite(values).all(axis=1)
    time = np.asarray(table.time.value, dtype=np.float64)
    step = np.median(np.diff(time[good]) / np.diff(cadence[good])) if good.sum() > 1 else np.nan
    order = np.argsort(cadence[good], kind="stable")
    return Vectors(cadence[good][order], values[good][order]), float(step) * _DAY


def _by_lightkurve(lightkurve: Any, hdus: Any, place: dict[str, int]) -> Any:
    """lightkurve's table of a detector; None where the file is another detector's."""
    correctors = lightkurve.correctors.cbvcorrector
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "channel" in place:
            module, output = lightkurve.utils.channel_to_module_output(place["channel"])
            if f"MODOUT_{module}_{output}" not in hdus:
                return None
            return correctors.KeplerCotrendingBasisVectors.from_hdu(hdus, module=int(module), output=int(output))
        header = hdus[1].header
        if (header.get("CAMERA"), header.get("CCD")) != (place.get("camera"), place.get("ccd")):
            return None
        return correctors.TessCotrendingBasisVectors.from_hdu(hdus, cbv_type="SingleScale")
