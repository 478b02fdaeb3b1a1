"""What each supported product's files hold: their columns, units, times, quality bits and header cards."""

from __future__ import annotations

from dataclasses import dataclass

KEPLER, K2, SPOC, TESS_SPOC, TABLE = "Kepler", "K2", "SPOC", "TESS-SPOC", "table"
QLP, TGLC, CDIPS, TASOC, PATHOS = "QLP", "TGLC", "CDIPS", "TASOC", "PATHOS"
ELEANOR, ELEANOR_LITE = "ELEANOR", "GSFC-ELEANOR-LITE"
K2SFF, EVEREST, KEPSEISMIC = "K2SFF", "EVEREST", "KEPSEISMIC"
LIGHTKURVE = "lightkurve-"
"""Products with a reader; each is also the name of its author.  Those of lightkurve itself end in the mission."""

# The bits that lightkurve 2.6 masks (KeplerQualityFlags, TessQualityFlags).
KEPLER_MASKS = {"none": 0, "default": 1130799, "hard": 1664431, "hardest": 2096639}
TESS_MASKS = {"none": 0, "default": 17087, "hard": 24319, "hardest": 65535}

_BKJD, _BTJD, _MJD = "BJD - 2454833", "BJD - 2457000", "BJD - 2400000.5"
_PDCSAP = ("PDCSAP_FLUX", "PDCSAP_FLUX_ERR")


@dataclass(frozen=True, slots=True)
class Campaign:
    """Where a mission's light curves go in the store.

    ``label`` is the form of a campaign's name and ``card`` the header card with its number, empty where files join
    campaigns; ``magnitude`` is the card with the star's magnitude.
    """

    folder: str
    label: str
    card: str
    magnitude: str


_KEPLER = Campaign("kepler", "q{:02d}", "QUARTER", "KEPMAG")
_WHOLE_KEPLER = Campaign("kepler", "", "", "KEPMAG")
_K2 = Campaign("k2", "c{:02d}", "CAMPAIGN", "KEPMAG")
_TESS = Campaign("tess", "s{:04d}", "SECTOR", "TESSMAG")


@dataclass(frozen=True, slots=True)
class Official:
    """The layout that the fast reader knows.

    ``columns`` are time, flux, error and quality; ``late`` those from sector 56 on, where they differ.
    """

    columns: tuple[str, str, str, str]
    late: tuple[str, str, str, str] | None = None

    def of(self, sector: object) -> tuple[str, str, str, str]:
        """The columns in a sector."""
        return self.late if self.late and isinstance(sector, int) and sector >= FIRST_LATE_SECTOR else self.columns


FIRST_LATE_SECTOR = 56
"""From this sector on QLP's errors have another name and its own quality flag another bit."""


@dataclass(frozen=True, slots=True)
class Product:
    """One kind of file.

    Attributes:
        reader: lightkurve's name for its format.
        campaign: where it goes in the store.
        time_system: what its days count from.
        official: its layout, where the fast reader knows it.
        masks: its quality bits by name of the mask; None where lightkurve applies none.
        time_column: name of its times.
        time_shift: subtracted from them [d].
        unit: of its flux: flux (any linear one), ppm (relative, around 0) or mag.
        quality_column: lightkurve's name of its quality bits.
        bad: column whose non-zero rows are bad as well, unless no mask is wanted.
    """

    reader: str
    campaign: Campaign
    time_system: str
    official: Official | None = None
    masks: dict[str, int] | None = None
    time_column: str = "TIME"
    time_shift: float = 0.0
    unit: str = "flux"
    bad: str = ""
    quality_column: str = "quality"

    @property
    def reference(self) -> float:
        """The Julian date that its days count from."""
        return float(self.time_system.removeprefix("BJD - "))


def _by_mission(campaign: Campaign) -> Product:
    quality = "QUALITY" if campaign is _TESS else "SAP_QUALITY"
    return Product(
        reader="tess" if campaign is _TESS else "kepler",
        campaign=campaign,
        time_system=_BTJD if campaign is _TESS else _BKJD,
        official=Official(("TIME", *_PDCSAP, quality)),
        masks=TESS_MASKS if campaign is _TESS else KEPLER_MASKS,
    )


_QLP = Official(
    ("TIME", "SAP_FLUX", "KSPSAP_FLUX_ERR", "QUALITY"), late=("TIME", "SAP_FLUX", "DET_FLUX_ERR", "QUALITY")
)

PRODUCTS: dict[str, Product] = {
    KEPLER: _by_mission(_KEPLER),
    K2: _by_mission(_K2),
    SPOC: _by_mission(_TESS),
    TESS_SPOC: _by_mission(_TESS),
    # The flux that is not detrended: detrending takes rotation away as well.
    QLP: Product("qlp", _TESS, _BTJD, _QLP, TESS_MASKS),
    TGLC: Product("tglc", _TESS, _BTJD, masks=TESS_MASKS, time_column="time", bad="tglc_flags"),
    # Its times are full Julian dates.
    CDIPS: Product("cdips", _TESS, _BTJD, time_column="TMID_BJD", time_shift=2457000.0, unit="mag"),
    TASOC: Product("tasoc", _TESS, _BTJD, unit="ppm"),
    PATHOS: Product("pathos", _TESS, _BTJD, masks=TESS_MASKS, quality_column="dquality"),
    ELEANOR: Product("eleanor", _TESS, _BTJD, masks=TESS_MASKS),
    ELEANOR_LITE: Product("eleanor", _TESS, _BTJD, masks=TESS_MASKS),
    # Thruster firings.
    K2SFF: Product("k2sff", _K2, _BKJD, time_column="T", bad="moving"),
    EVEREST: Product("everest", _K2, _BKJD, masks=KEPLER_MASKS),
    KEPSEISMIC: Product("kepseismic", _WHOLE_KEPLER, _MJD, unit="ppm"),
    f"{LIGHTKURVE}Kepler": Product("kepler", _KEPLER, _BKJD, masks=KEPLER_MASKS),
    f"{LIGHTKURVE}K2": Product("kepler", _K2, _BKJD, masks=KEPLER_MASKS),
    f"{LIGHTKURVE}TESS": Product("tess", _TESS, _BTJD, masks=TESS_MASKS),
}
"""Every supported product of FITS files."""
