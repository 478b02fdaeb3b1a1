"""The columns of a plain table, as text, ECSV or Parquet hold them, and what their headers say of each."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.ingest import delimited
from spotcat.ingest.clean import Refusal
from spotcat.status import InputError, Status

_GZIP = b"\x1f\x8b"
_META = b"table_meta_yaml"
"""astropy keeps in a Parquet file under this key what an ECSV file has as its header."""
_UNITS = (b"unit", b"units")


@dataclass(frozen=True, slots=True)
class Field:
    """One column.

    Attributes:
        name: its name.
        values: a list of text or an array of any type, shape (rows,).
        lines: number of each row's line, where the table is text.
        separator: between its fields, where the table is text.
        unit: its unit as written; empty for none.
        time_format: astropy's name for what its times are, such as btjd or isot; empty where it is no such column.
        scale: of these times, such as tdb.
        fraction: what must be added to ``values``, where such times are kept in two parts.
        elapsed: whether these times count from none of the known dates.
    """

    name: str
    values: Any
    lines: Sequence[int] = ()
    separator: str = ""
    unit: str = ""
    time_format: str = ""
    scale: str = ""
    fraction: Any = None
    elapsed: bool = False

    def numbers(self) -> np.ndarray | Refusal:
        """The column as f8 of shape (rows,), NaN where a value is missing."""
        if isinstance(self.values, np.ndarray):
            if self.values.dtype.kind in "iuf":
                return self.values.astype(np.float64)
            return Refusal(Status.UNREADABLE, f"column {self.name!r} is not numeric")
        found = delimited.numbers(self.values, self.separator)
        if isinstance(found, np.ndarray):
            return found
        where = f"{delimited.shown(self.values[found])} in line {self.lines[found]}"
        return Refusal(Status.UNREADABLE, f"column {self.name!r} is not numeric: {where}")

    def words(self) -> set[str]:
        """The different values as text, missing ones left out."""
        if isinstance(self.values, np.ndarray):
            found = self.values[~np.isnan(self.values)] if self.values.dtype.kind == "f" else self.values
            return {str(value) for value in np.unique(found.astype(str))} - {"None"}
        return {value.strip() for value in set(self.values)} - delimited.MISSING


def read_fields(path: Path) -> list[Field] | Refusal:
    """The columns of a table in their order.

    Raises:
        InputError: a Parquet file, but no library that reads it.
        Exception: almost any where the file is damaged.
    """
    name = path.name.lower()
    if name.endswith(".parquet"):
        return _parquet_fields(path)
    contents = path.read_bytes()
    decoded = delimited.decode(gzip.decompress(contents) if contents.startswith(_GZIP) else contents)
    return _ecsv_fields(decoded) if name.removesuffix(".gz").endswith(".ecsv") else _text_fields(decoded, None)


def _text_fields(contents: str, separator: str | None) -> list[Field] | Refusal:
    table = delimited.parse(contents, separator)
    if isinstance(table, Refusal):
        return table
    pairs = zip(table.names, table.columns, strict=True)
    return [Field(name, values, table.lines, table.separator) for name, values in pairs]


def _ecsv_fields(contents: str) -> list[Field] | Refusal:
    from astropy.table.meta import get_header_from_yaml

    lines = [line[2:] for line in contents.splitlines() if line.startswith("# ")]
    header = get_header_from_yaml(lines[1:])
    fields = _text_fields(contents, header.get("delimiter", " ").strip())
    if isinstance(fields, Refusal):
        return fields
    if [field.name for field in fields] != [column["name"] for column in header["datatype"]]:
        return Refusal(Status.UNREADABLE, "the columns are not those that its header describes")
    return _described(fields, header)


def _parquet_fields(path: Path) -> list[Field]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise InputError(f"{path}: Parquet needs pyarrow; install spotcat with its 'parquet' extra") from None
    from astropy.table.meta import get_header_from_yaml

    # What pandas had as an index is a column of the file.
    table = parquet.read_table(path)
    fields = []
    for column, values in zip(table.schema, table.columns, strict=True):
        said = column.metadata or {}
        unit = next((said[key].decode() for key in _UNITS if key in said), "")
        fields.append(Field(column.name, values.to_numpy(), unit=unit))
    meta = (table.schema.metadata or {}).get(_META)
    return _described(fields, get_header_from_yaml(meta.decode().splitlines())) if meta else fields


def _described(fields: Sequence[Field], header: Mapping[str, Any]) -> list[Field]:
    """The fields with what astropy's header says of them; columns that it keeps in parts are put together."""
    units = {column["name"]: str(column.get("unit") or "") for column in header["datatype"]}
    stored = {field.name: replace(field, unit=field.unit or units.get(field.name, "")) for field in fields}
    whole = dict(stored)
    for name, said in dict(header.get("meta") or {}).get("__serialized_columns__", {}).items():
        found = _put_together(name, said, stored)
        if found:
            whole[name] = found
    return list(whole.values())


def _put_together(name: str, said: Mapping[str, Any], stored: Mapping[str, Field]) -> Field | None:
    kind = str(said.get("__class__", "")).rpartition(".")[2]
    parts = [_stored_name(said.get(key)) for key in ("jd1", "jd2")] if "jd1" in said else [_value_name(said)]
    if any(part not in stored for part in parts):
        return None
    field = replace(stored[parts[0]], name=name)
    mask = _stored_name(_inside(said, "mask"))
    if mask in stored:
        field = _masked(field, stored[mask])
    if "unit" in said and not field.unit:
        field = replace(field, unit=str(said["unit"]))
    if kind in ("Time", "TimeDelta"):
        fraction = stored[parts[1]].numbers() if len(parts) > 1 else None
        scale = str(said.get("scale") or "")
        return replace(
            field, time_format=str(said["format"]), scale=scale, fraction=fraction, elapsed=kind == "TimeDelta"
        )
    return field


def _masked(field: Field, mask: Field) -> Field:
    values = field.numbers()
    if isinstance(values, Refusal):
        return field
    bad = [str(value).strip().lower() in ("true", "1") for value in mask.values]
    return replace(field, values=np.where(bad, np.nan, values))


def _value_name(said: Mapping[str, Any]) -> str:
    """The stored column with the values of a column, however deep inside masks and units its name is."""
    inner: Any = next((said[key] for key in ("value", "data", "unmasked") if key in said), {})
    return _stored_name(inner) or (_value_name(inner) if isinstance(inner, Mapping) and inner else "")


def _inside(said: Mapping[str, Any], key: str) -> Any:
    """A value of this name here or further inside."""
    if key in said:
        return said[key]
    inner = [value for value in said.values() if isinstance(value, Mapping)]
    return next((found for value in inner if (found := _inside(value, key)) is not None), None)


def _stored_name(said: Any) -> str:
    return str(said.get("name", "")) if isinstance(said, Mapping) else ""
