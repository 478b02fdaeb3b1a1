"""A catalog as tables of other libraries and as their files, with units, descriptions and UCDs kept."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.catalog.schema import attributes
from spotcat.status import InputError

if TYPE_CHECKING:
    import astropy.table
    import pandas as pd
    import pyarrow as pa

    from spotcat.catalog.selection import Catalog

_ROW_GROUP = 65_536


def to_pandas(catalog: Catalog) -> pd.DataFrame:
    """The table as a data frame; what the columns are is in its ``attrs["columns"]``."""
    import pandas as pd

    frame = pd.DataFrame({name: catalog.column(name) for name in catalog.names})
    frame.attrs = {"columns": {name: attributes(catalog.columns[name]) for name in catalog.names}}
    return frame


def to_astropy(catalog: Catalog) -> astropy.table.Table:
    """The table as astropy's, with units, descriptions, UCDs in each column's ``meta``, and the run's attributes."""
    from astropy.table import Column, Table
    from astropy.units import Unit

    table = Table(meta=dict(catalog.attrs))
    for name in catalog.names:
        values, column = catalog.column(name), catalog.columns[name]
        about = attributes(column)
        meta = {key: about[key] for key in about if key not in ("units", "description")}
        if column.dtype == "str":
            values = values.astype(str) if len(values) else np.zeros(0, dtype="U1")
        unit = Unit(column.unit, format="vounit") if column.unit else None
        table[name] = Column(values, unit=unit, description=column.description, meta=meta)
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
        words = {"unit": about["units"], "ucd": about["ucd"], "description": about["description"]}
        fields.append(pa.field(name, kind, metadata=words))
        arrays.append(pa.array(values, type=kind))
    about_all = {
        "IVOA.VOTable-Parquet.version": "1.0",
        "IVOA.VOTable-Parquet.content": votable_bytes(catalog.head(0)).decode(),
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
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Info

    table, attrs = _without_signed_bytes(catalog)
    votable = from_table(table)
    resource = votable.resources[0]
    for name, value in attrs.items():
        resource.infos.append(Info(name=name, value=value if isinstance(value, str) else json.dumps(value)))
    stream = io.BytesIO()
    votable.to_xml(stream)
    return stream.getvalue()


def fits_bytes(catalog: Catalog) -> bytes:
    """A FITS table; UCDs are in ``TUCDn``, descriptions in ``TCOMMn``, besides the comments that astropy reads back."""
    from astropy.io import fits

    table, attrs = _without_signed_bytes(catalog)
    plain, described = io.BytesIO(), io.BytesIO()
    table.write(plain, format="fits")
    with fits.open(io.BytesIO(plain.getvalue())) as file:
        header = file[1].header
        for number, name in enumerate(table.colnames, start=1):
            header[f"TCOMM{number}"] = table[name].info.description
            header[f"TUCD{number}"] = table[name].meta["ucd"]
        header["EXTNAME"] = "SPOTCAT"
        for key, value in attrs.items():
            header.add_history(f"{key} = {json.dumps(value)}")
        file.writeto(described)
    return described.getvalue()


def _without_signed_bytes(catalog: Catalog) -> tuple[astropy.table.Table, dict[str, Any]]:
    """The table and, apart, its attributes; VOTable has no signed byte, and astropy makes truth values of FITS's."""
    table = to_astropy(catalog)
    for name in table.colnames:
        if table[name].dtype == np.int8:
            table[name] = table[name].astype(np.int16)
    attrs, table.meta = table.meta, {}
    return table, attrs


def ecsv_text(catalog: Catalog) -> str:
    """A table in ECSV 1.0."""
    text = io.StringIO()
    table: Any = to_astropy(catalog)
    table.write(text, format="ascii.ecsv")
    return text.getvalue()
