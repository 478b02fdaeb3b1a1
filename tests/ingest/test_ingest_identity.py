"""Star numbers and names from headers, file names and tables."""

from __future__ import annotations

import hashlib

import pytest

from spotcat.ingest.identity import (
    Identity,
    file_identity,
    header_identity,
    mission_identity,
    parse_name,
    stem_of,
    table_identity,
)


@pytest.mark.parametrize(
    ("name", "star_id", "mission"),
    [
        ("KIC 10002792", 1_000_010_002_792, "Kepler"),
        ("EPIC 211015853", 2_000_211_015_853, "K2"),
        ("TIC 129636548", 3_000_129_636_548, "TESS"),
    ],
)
def test_mission_names(name: str, star_id: int, mission: str) -> None:
    number = int(name.split()[1])
    expected = Identity(star_id, name, mission, number)
    assert mission_identity(name.split()[0], number) == expected
    assert parse_name(name) == expected
    assert parse_name(f" {name.lower().replace(' ', '')} ") == expected


@pytest.mark.parametrize("name", ["", "KIC", "KIC ten", "Kepler-90", "KIC 1b", "KIC 5 A", "XKIC 5"])
def test_other_names_are_not_catalog_numbers(name: str) -> None:
    assert parse_name(name) is None


def test_table_ids_follow_the_name() -> None:
    hexadecimal = hashlib.sha256(b"sim_0007").hexdigest()[:15]
    identity = table_identity("sim_0007")
    assert identity.star_id == 4 * 10**15 + int(hexadecimal, 16) % (4 * 10**15)
    assert int(float(identity.star_id)) == identity.star_id < 2**53
    assert (identity.name, identity.mission, identity.mission_id) == ("sim_0007", "table", -1)


def test_every_star_id_is_a_float_too() -> None:
    ids = [table_identity(f"star {k}").star_id for k in range(5000)]
    ids += [file_identity(f"x{k}.fits").star_id for k in range(100)]
    ids += [mission_identity(catalog, 10**12 - 1).star_id for catalog in ("KIC", "EPIC", "TIC")]
    assert [int(float(star_id)) for star_id in ids] == ids
    assert len(set(ids)) == len(ids) and max(ids) < 2**53
    # No number of a mission is one of a table's.
    assert min(ids[:5100]) > max(ids[5100:])


@pytest.mark.parametrize("number", [10**12, 10**16 - 1, 2**63, "9" * 30, "9" * 5000])
def test_a_number_that_no_catalog_has_is_no_star(number: object) -> None:
    assert header_identity({"TICID": number}) is None
    assert header_identity({"KEPLERID": number}) is None
    assert header_identity({"TICID": number, "OBJECT": "TIC 5"}) == parse_name("TIC 5")
    if len(str(number)) == 16:
        assert file_identity(f"tess2018-s0001-{number}-0120-s_lc.fits").mission == ""


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("kplr002157356-2010265121752_llc.fits", "KIC 2157356"),
        ("ktwo211015853-c04_llc.fits.gz", "EPIC 211015853"),
        ("tess2018206045859-s0001-0000000129636548-0120-s_lc.fits", "TIC 129636548"),
        ("hlsp_tess-data-alerts_tess_phot_00025155310-s01_tess_v1_lc.fits", "TIC 25155310"),
        ("hlsp_qlp_tess_ffi_s0027-0000000358107516_tess_v01_llc.fits", "TIC 358107516"),
        ("hlsp_k2sc_k2_llc_211099743-c04_kepler_v2_lc.fits", "EPIC 211099743"),
        ("hlsp_kepseismic_kepler_phot_kplr003733735-20d_kepler_v1_cor-filt-inp.fits", "KIC 3733735"),
        ("KIC 10002792.fits", "KIC 10002792"),
        ("mystery.v2.fits", "mystery.v2"),
    ],
)
def test_file_names(file: str, name: str) -> None:
    identity = file_identity(file)
    assert identity.name == name
    assert identity == (parse_name(name) or Identity(table_identity(name).star_id, name, "", -1))


def test_gaia_numbers_are_not_tic_numbers() -> None:
    # The Gaia catalog's numbers have 10 to 19 digits.
    short = file_identity("hlsp_tglc_tess_ffi_gaiaid-4295806720-s0012-cam1-ccd1_tess_v1_llc.fits")
    assert (short.mission, short.mission_id) == ("", -1)
    file = "hlsp_cdips_tess_ffi_gaiatwo0003007171311355035136-0006_tess_v01_llc.fits"
    assert file_identity(file).mission_id == -1


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ({"KEPLERID": 2157356, "MISSION": "Kepler"}, "KIC 2157356"),
        ({"KEPLERID": 2157356}, "KIC 2157356"),
        ({"KEPLERID": 60017806, "MISSION": "K2"}, "EPIC 60017806"),
        ({"KEPLERID": 211015853}, "EPIC 211015853"),
        ({"TICID": "443387847", "OBJECT": "3007171311355035136"}, "TIC 443387847"),
        ({"OBJECT": "KIC 3733735"}, "KIC 3733735"),
    ],
)
def test_headers(header: dict[str, object], name: str) -> None:
    assert header_identity(header) == parse_name(name)


@pytest.mark.parametrize("header", [{}, {"KEPLERID": None}, {"TICID": 0}, {"OBJECT": "M67"}])
def test_headers_without_a_star(header: dict[str, object]) -> None:
    assert header_identity(header) is None


def test_stem() -> None:
    files = ("a.csv", "a.b.ecsv", "a.fits.gz", "A.FITS.GZ", "a", "a\n.csv", "a.gz.csv")
    assert [stem_of(file) for file in files] == ["a", "a.b", "a", "A", "a", "a\n", "a.gz"]
