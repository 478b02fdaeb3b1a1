"""A catalog as tables of other libraries and as their files, with units, descriptions and UCDs kept."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.catalog.escapes import as_ascii, as_text
from spotcat.catalog.schema import attributes
from spotcat.catalog.words import explained
from spotcat.status import InputError

if TYPE_CHECKING:
    import astropy.table
    import pandas as pd
    import pyarrow as pa

    from spotcat.catalog.selection import Catalog

_ROW_GROUP = 65_536
_VOTABLE = {"i2": "short", "i4": "int", "i8": "long", "f4": "float", "f8": "double", "O": "unicodeChar"}
_ESCAPED = "Text that is not printable ASCII is escaped, Greek beta as \\u03b2."


def to_pandas(catalog: Catalog) -> pd.DataFrame:
    """The table as a data frame; what the columns are is in its ``attrs["columns"]``."""
    import pandas as pd

    frame = pd.DataFrame({name: catalog.column(name) for name in catalog.names})
    frame.attrs = {"columns": {name: attributes(catalog.columns[name]) for name in catalog.names}}
    return frame


def to_astropy(catalog: Catalog) -> astropy.table.Table:
    """The table as astropy's, with units, descriptions, UCDs in each column's ``meta``, and the run's attributes."""
    return _astropy(catalog, catalog.column)


def _astropy(catalog: Catalog, values_of: Callable[[str], np.ndarray]) -> astropy.table.Table:
    """The table with what `values_of` gives for each column."""
    from astropy.table import Column, Table
    from astropy.units import Unit

    table = Table(meta=dict(catalog.attrs))
    for name in catalog.names:
        values, column = values_of(name), catalog.columns[name]
        about = attributes(column)
        meta = {key: about[key] for key in about if key not in ("units", "description")}
        if column.dtype == "str":
            values = values.astype(str) if len(values) else np.zeros(0, dtype="U1")
        unit = Unit(column.unit, format="vounit") if column.unit else None
        table[name] = Column(values, unit=unit, description=explained(column), meta=meta)
    return table


def to_arrow(catalog: Catalog) -> pa.Table:
    """The table as Arrow's.

    Each field carries its unit, UCD and description; beside them the schema holds a VOTable without rows, as the
    VOParquet convention of the IVOA has it, which astropy and TOPCAT read.

    Raises:
        InputError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise InputError("Parquet needs the package pyarrow: pip install 'spotcat[parquet]'") from None
    fields, arrays = [], []
    for name in catalog.names:
        values, about = catalog.column(name), attributes(catalog.columns[name])
        kind = pa.string() if values.dtype == object else pa.from_numpy_dtype(values.dtype)
        words = {"unit": about["units"], "ucd": about["ucd"], "description": explained(catalog.columns[name])}
        words |= {key: json.dumps(about[key]) for key in ("flag_values", "flag_masks", "flag_meanings") if key in about}
        fields.append(pa.field(name, kind, metadata=words))
        arrays.append(pa.array(values, type=kind))
    about_all = {
        "IVOA.VOTable-Parquet.version": "1.0",
        "IVOA.VOTable-Parquet.content": _votable(catalog, n_rows=0).decode(),
        "spotcat": json.dumps(catalog.attrs, sort_keys=True),
    }
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=about_all))


def parquet_bytes(catalog: Catalog) -> bytes:
    """A Parquet file in row groups of 65,536 stars."""
    table = to_arrow(catalog)
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd", row_group_size=_ROW_GROUP)
    return stream.getvalue()


def votable_bytes(catalog: Catalog) -> bytes:
    """A VOTable 1.4; a description of the run is its INFO elements."""
    return _votable(catalog, len(catalog))


def _votable(catalog: Catalog, n_rows: int) -> bytes:
    """A VOTable of the first rows, whose fields hold every row."""
    from astropy.io.votable.tree import Field, Info, Resource, TableElement, VOTableFile

    votable, resource = VOTableFile(), Resource()
    table = TableElement(votable)
    votable.resources.append(resource)
    resource.tables.append(table)
    columns = {name: _without_signed_bytes(_written(catalog, name, as_text)) for name in catalog.names}
    for name, values in columns.items():
        about = attributes(catalog.columns[name])
        kind = {"datatype": _VOTABLE[values.dtype.str[1:]], "arraysize": _longest(values)}
        field = Field(votable, name=name, ucd=about["ucd"], unit=about["units"] or None, **kind)
        field.description = explained(catalog.columns[name])
        if "flag_values" in about:
            options = zip(about["flag_meanings"].split(), map(str, about["flag_values"]), strict=True)
            field.values.options.extend(options)
        table.fields.append(field)
    table.create_arrays(n_rows)
    for name, values in columns.items():
        table.array[name] = values[:n_rows]
    for name, value in catalog.attrs.items():
        info = Info(name=name, value=as_text(value if isinstance(value, str) else json.dumps(value)))
        info.ID = None  # made of the name it would be that of a column of this name, and each is given once
        resource.infos.append(info)
    stream = io.BytesIO()
    votable.to_xml(stream)
    return stream.getvalue()


def _longest(values: np.ndarray) -> str | None:
    """The array size of a field of text: as many UTF-16 units as the longest has, or fewer."""
    if values.dtype != object:
        return None
    return f"{max((len(value.encode('utf-16-be')) // 2 for value in values), default=1) or 1}*"


def fits_bytes(catalog: Catalog) -> bytes:
    """A FITS table; UCDs are in ``TUCDn``, descriptions in ``TCOMMn``, besides the comments that astropy reads back.

    FITS holds printable ASCII alone: other characters are escaped, and a COMMENT says so.
    """
    from astropy.io import fits

    table = _astropy(catalog, lambda name: _without_signed_bytes(_written(catalog, name, as_ascii)))
    table.meta = {}
    plain, described = io.BytesIO(), io.BytesIO()
    table.write(plain, format="fits")
    with fits.open(io.BytesIO(plain.getvalue())) as file:
        header = file[1].header
        for number, name in enumerate(table.colnames, start=1):
            about = attributes(catalog.columns[name])
            header[f"TCOMM{number}"] = explained(catalog.columns[name])
            header[f"TUCD{number}"] = about["ucd"]
            if about["units"]:
                header[f"TUNIT{number}"] = about["units"]
        header["EXTNAME"] = "SPOTCAT"
        header["LONGSTRN"] = "OGIP 1.0"  # says that texts go on in CONTINUE cards
        header.update(_standard_cards(catalog))
        for key, value in catalog.attrs.items():
            header.add_history(f"{key} = {json.dumps(value)}")
        if any(as_ascii(value) != value for name in catalog.names for value in _texts(catalog, name)):
            header.add_comment(_ESCAPED)
        file.writeto(described)
    return described.getvalue()


def _standard_cards(catalog: Catalog) -> dict[str, str]:
    """What FITS has keywords for: who made the table, when, with what, and what others may do with it."""
    attrs = catalog.attrs
    version = attrs.get("spotcat_version")
    known = {
        "CREATOR": f"spotcat {version}" if version else "",
        "AUTHOR": ", ".join(map(str, attrs.get("authors") or ())),
        "LICENSE": str(attrs.get("licence") or ""),
        "DATE": str(attrs.get("date") or ""),
    }
    return {key: as_ascii(value) for key, value in known.items() if value}


def ecsv_text(catalog: Catalog) -> str:
    """A table in ECSV 1.0."""
    text = io.StringIO()
    table: Any = _astropy(catalog, lambda name: _written(catalog, name, as_text))
    table.write(text, format="ascii.ecsv")
    return text.getvalue()


def _written(catalog: Catalog, name: str, clean: Callable[[str], str]) -> np.ndarray:
    """A column with text that a format can hold."""
    if catalog.columns[name].dtype != "str":
        return catalog.column(name)
    return np.array([clean(value) for value in _texts(catalog, name)], dtype=object)


def _texts(catalog: Catalog, name: str) -> list[str]:
    """The texts of a column, none where it holds numbers."""
    return [str(value) for value in catalog.column(name)] if catalog.columns[name].dtype == "str" else []


def _without_signed_bytes(values: np.ndarray) -> np.ndarray:
    """VOTable has no signed byte, and astropy makes truth values of FITS's."""
    return values.astype(np.int16) if values.dtype == np.int8 else values
