"""What is known of a file before its light curve is read, and what the headers of each product say of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spotcat.ingest.clean import Refusal
from spotcat.ingest.formats import K2, KEPLER, PRODUCTS, SPOC, TESS_SPOC
from spotcat.ingest.identity import Identity
from spotcat.ingest.plain import lacking
from spotcat.ingest.products import column_names
from spotcat.ingest.read import read_times, unreadable
from spotcat.status import Status

_DAY = 86400.0
_OBSERVED_WITH = ("CHANNEL", "CAMERA", "CCD")
BY_MISSION = (KEPLER, K2, SPOC)
"""Products that the missions themselves made, in every detail."""
_FOLDED = "FoldedLightCurve"
"""Within the CREATOR of what lightkurve wrote after it took the times to phases of a period."""
_CAMPAIGN_IN_NAME = re.compile(r"[-_][sc](\d{2,4})(?!\d)")


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What is known of a file before its light curve is read.

    ``product`` is empty where the file could not be recognised; ``group`` is its campaign in the store;
    ``start`` and ``stop`` are mission days; ``rank`` orders files of one star that cover the same time, the
    highest is the one to keep; ``label`` is what the store calls it, its base name if empty.
    """

    path: Path
    sha256: str
    identity: Identity
    product: str = ""
    refusal: Refusal | None = None
    group: str = ""
    n_rows: int = 0
    start: float = np.nan
    stop: float = np.nan
    rank: tuple[Any, ...] = ()
    version: str = ""
    observed: str = ""
    ra: float = np.nan
    dec: float = np.nan
    mag: float = np.nan
    crowding: float = np.nan
    label: str = ""

    @property
    def file(self) -> str:
        """What the store calls it; where the survey lies is never stored, so it may move."""
        return self.label or self.path.name


class _Span(NamedTuple):
    """Rows of a file, first and last mission day, and cadence [s] as a label."""

    n_rows: int
    start: float
    stop: float
    cadence: str


def describe(info: FileInfo, primary: Mapping[str, Any], extension: Mapping[str, Any]) -> FileInfo:
    """Fill in what a supported product's headers say; whatever is wrong ends up in ``refusal``.

    Args:
        info: what is known so far, ``product`` included.
        primary: header of the primary HDU.
        extension: header of the first extension, empty where there is none.
    """
    if _FOLDED in str(primary.get("CREATOR", "")):
        return replace(info, refusal=Refusal(Status.UNSUPPORTED, "a folded light curve: its times are phases"))
    campaign = PRODUCTS[info.product].campaign
    info = replace(info, mag=number(primary.get(campaign.magnitude)))
    span = _stated_span(info, primary, extension) if info.product in (*BY_MISSION, TESS_SPOC) else _own_span(info)
    if isinstance(span, Refusal):
        return replace(info, refusal=span)
    version = str(primary.get("PROCVER") or primary.get("VERSION") or "").strip()
    observed = [(name, primary.get(name)) for name in (campaign.card, *_OBSERVED_WITH)]
    return replace(
        info,
        group=_group(info, primary, span),
        n_rows=span.n_rows,
        start=span.start,
        stop=span.stop,
        # The longer cadence of a campaign holds the same photons in fewer points.
        rank=(int(span.cadence[:-1]), _integer(primary.get("DATA_REL")), [int(n) for n in re.findall(r"\d+", version)]),
        version=version,
        observed=" ".join(f"{name.lower()}={value}" for name, value in observed if isinstance(value, int)),
        crowding=number(extension.get("CROWDSAP")),
    )


def cadence_label(step: float) -> str:
    """The cadence [s] of a file whose typical step is `step` [d]; cadences of a survey differ from star to star."""
    return f"{max(1, int(float(f'{step * _DAY:.1e}')))}s"


def number(value: Any) -> float:
    """A header value as a float, NaN where the card is absent or blank."""
    return float(value) if isinstance(value, (int, float)) else np.nan


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _stated_span(info: FileInfo, primary: Mapping[str, Any], extension: Mapping[str, Any]) -> _Span | Refusal:
    """What the headers of a mission's light curve say that it covers."""
    product = PRODUCTS[info.product]
    assert product.official is not None
    names = column_names(extension)
    problem = lacking(product.official.columns, names) or _wrong_units(info.product, extension, names)
    if problem:
        return problem
    start, stop, step = (number(extension.get(name)) for name in ("TSTART", "TSTOP", "TIMEDEL"))
    card = product.campaign.card
    if not isinstance(primary.get(card), int) or not np.isfinite([start, stop, step]).all():
        return Refusal(Status.UNREADABLE, f"its header lacks one of {card}, TSTART, TSTOP, TIMEDEL")
    n_rows = _integer(extension.get("NAXIS2"))
    if n_rows == 0:
        return Refusal(Status.NO_FINITE_FLUX, "no measurements")
    return _Span(n_rows, start, stop, f"{round(step * _DAY)}s")


def _wrong_units(product: str, extension: Mapping[str, Any], names: list[str]) -> Refusal | None:
    """A refusal where a mission's light curve says that it counts other things than days and electrons."""
    official, time_system = PRODUCTS[product].official, PRODUCTS[product].time_system
    assert official is not None
    # The reference date may be followed by the word days.
    accepted = {official.columns[0]: (time_system, "d"), official.columns[1]: ("e-/s", "electron")}
    reference = extension.get("BJDREFI")
    if reference is not None and time_system != f"BJD - {reference}":
        return Refusal(Status.UNREADABLE, f"its days count from JD {reference}")
    for name, units in accepted.items():
        unit = str(extension.get(f"TUNIT{names.index(name) + 1}") or "").strip()
        if unit and not any(unit == known or (unit.startswith(known) and known != "d") for known in units):
            return Refusal(Status.UNREADABLE, f"its column {name} is in {unit!r}")
    return None


def _own_span(info: FileInfo) -> _Span | Refusal:
    """What the times of a product cover that others made from a mission's data."""
    try:
        time = read_times(info.path, info.product)
    except MemoryError:
        raise
    except Exception as error:
        return unreadable(error)
    if isinstance(time, Refusal):
        return time
    steps = np.diff(np.unique(time[np.isfinite(time)]))
    if steps.size == 0:
        return Refusal(Status.NO_FINITE_FLUX, "no measurements")
    step = float(np.median(steps))
    start, stop = np.nanmin(time), np.nanmax(time)
    return _Span(time.size, float(start) - step / 2, float(stop) + step / 2, cadence_label(step))


def _group(info: FileInfo, primary: Mapping[str, Any], span: _Span) -> str:
    """The campaign in the store; files of others stay apart from the missions'."""
    campaign = PRODUCTS[info.product].campaign
    value = primary.get(campaign.card) if campaign.card else None
    match = _CAMPAIGN_IN_NAME.search(info.path.name.lower()) if campaign.card else None
    if not isinstance(value, int) and match:
        value = int(match[1])
    label = [campaign.label.format(value)] if isinstance(value, int) else []
    author = [] if info.product in BY_MISSION else [info.product.lower()]
    return f"{campaign.folder}/{'-'.join([*label, *author, span.cadence])}"
