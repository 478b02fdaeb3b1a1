"""Conditions on catalog columns, such as ``prot > 5 and prot < 10 and flags == 0``.

The language is a small part of Python's expressions: columns, numbers and text; comparisons, also chained;
``and``, ``or``, ``not``; arithmetic; ``&``, ``|``, ``~`` on flags or on conditions in parentheses; ``in`` and
``not in`` a list; ``column.between(low, high)``, both ends included; ``abs``, ``log10`` and ``isfinite``.
Codes compare with their words, ``verdict == 'rotator'``, and ``'few_cycles' in flags`` asks for a bit; missions and
authors are the same in any case.

Every comparison with a missing value is false, ``!=`` and ``not in`` among them.  The text is parsed, never
executed as Python.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spotcat.catalog.schema import CODES, MASKS, check_names
from spotcat.config import nearest
from spotcat.status import InputError

_COMPARE: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}
_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Mod: np.mod,
    ast.Pow: np.float_power,
}
_BITS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {ast.BitAnd: np.bitwise_and, ast.BitOr: np.bitwise_or}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"abs": np.abs, "log10": np.log10, "isfinite": np.isfinite}
_ANY_CASE = ("mission", "author")
"""Columns of text that are compared whatever their case."""
_DIRECTION: dict[type[ast.AST], int] = {ast.Lt: 1, ast.LtE: 1, ast.Gt: -1, ast.GtE: -1}


class Expression:
    """A parsed condition.

    Args:
        text: the condition; blank is true for every star.

    Attributes:
        names: the columns it needs, sorted.

    Raises:
        InputError: the text is not a condition of this language.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self._tree: ast.expr | None = None
        if self.text:
            try:
                self._tree = ast.parse(self.text, mode="eval").body
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                reason = error.msg if isinstance(error, SyntaxError) else "too long or not text"
                raise self._error(reason) from None
        called = {id(node.func) for node in self._nodes() if isinstance(node, ast.Call)}
        self.names = sorted(
            {node.id for node in self._nodes() if isinstance(node, ast.Name) and id(node) not in called}
        )

    def mask(self, columns: Mapping[str, np.ndarray], n_rows: int) -> np.ndarray:
        """Where the condition holds.

        Args:
            columns: the arrays of `names`, each of length `n_rows`.
            n_rows: number of rows.

        Returns:
            A boolean array of length `n_rows`.

        Raises:
            InputError: an unknown column, an operation that the language lacks, or one that does not fit
                the columns' types.
        """
        check_names(self.names, columns)
        if self._tree is None:
            return np.ones(n_rows, dtype=bool)
        try:
            with np.errstate(all="ignore"):
                found = self._condition(self._tree, columns)
        except (RecursionError, OverflowError):
            raise self._error("too long, or a number too large") from None
        return np.broadcast_to(found, (n_rows,))

    def _value(self, node: ast.expr, columns: Mapping[str, np.ndarray]) -> Any:
        """The value of a node: an array or a scalar."""
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return value
            case ast.Name(id=name):
                column = columns[name]
                # Codes are stored in few bits; arithmetic on them must not wrap around.
                return column.astype(np.int64) if _kind(column) == "whole number" else column
            case ast.BoolOp(op=op, values=terms):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                found = self._condition(terms[0], columns)
                for term in terms[1:]:
                    found = join(found, self._condition(term, columns))
                return found
            case ast.UnaryOp(op=op, operand=operand):
                return self._unary(op, operand, columns)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self._value(left, columns), self._value(right, columns))
            case ast.Compare():
                return self._chain(node, columns)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](self._number(argument, columns))
            case ast.Call(func=ast.Attribute(value=column, attr="between"), args=[low, high], keywords=[]):
                value, ends = self._value(column, columns), [self._value(end, columns) for end in (low, high)]
                return self._compare(ast.GtE(), value, ends[0]) & self._compare(ast.LtE(), value, ends[1])
        raise self._error(f"{ast.unparse(node)!r} is not part of the language")

    def _unary(self, op: ast.unaryop, operand: ast.expr, columns: Mapping[str, np.ndarray]) -> Any:
        if isinstance(op, ast.Not):
            return np.logical_not(self._condition(operand, columns))
        if isinstance(op, ast.Invert):
            value = self._value(operand, columns)
            if _kind(value) in ("condition", "whole number"):
                return np.invert(value)
            raise self._error(f"'~' takes flags or a condition, not a {_kind(value)}")
        value = self._number(operand, columns)
        return np.negative(value) if isinstance(op, ast.USub) else value

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        kinds = {_kind(left), _kind(right)}
        if type(op) in _BITS:
            if kinds in ({"condition"}, {"whole number"}):
                return _BITS[type(op)](left, right)
            raise self._error("'&' and '|' take flags or conditions; put comparisons beside them in parentheses")
        if type(op) not in _ARITHMETIC:
            raise self._error(f"operator {type(op).__name__} is not part of the language")
        if kinds & {"text", "condition"}:
            raise self._error(f"cannot calculate with a {' and a '.join(sorted(kinds))}")
        return _ARITHMETIC[type(op)](left, right)

    def _chain(self, node: ast.Compare, columns: Mapping[str, np.ndarray]) -> Any:
        """A comparison, maybe chained: ``5 < prot <= 10``."""
        # ``prot > 5 & flags == 0`` is the chain ``prot > (5 & flags) == 0``, which nobody means.
        if len(node.ops) > 1 and {_DIRECTION.get(type(op)) for op in node.ops} not in ({1}, {-1}):
            raise self._error(f"{ast.unparse(node)!r} is ambiguous; join comparisons with 'and'")
        terms = [node.left, *node.comparators]
        if len(terms) == 2 and isinstance(node.ops[0], ast.In | ast.NotIn):
            return self._member(isinstance(node.ops[0], ast.In), terms[0], terms[1], columns)
        found: Any = True
        for op, left, right in zip(node.ops, terms, terms[1:], strict=False):
            pair = self._beside(left, right, columns), self._beside(right, left, columns)
            found = found & self._compare(op, *pair)
        return found

    def _member(self, inside: bool, item: ast.expr, term: ast.expr, columns: Mapping[str, np.ndarray]) -> Any:
        """Whether a value is in a list, or a flag among a column's."""
        match item, term:
            case ast.Constant(value=str() as word), ast.Name(id=name) if name in MASKS:
                set_ = (self._value(term, columns) & self._code(word, name, MASKS[name])) != 0
                return set_ if inside else ~set_
        if not isinstance(term, ast.Tuple | ast.List | ast.Set):
            raise self._error("'in' needs a list in parentheses, such as mission in ('Kepler', 'K2')")
        left = self._value(item, columns)
        found = np.zeros(np.shape(left), dtype=bool)
        for other in term.elts:
            found = found | self._compare(ast.Eq(), left, self._beside(other, item, columns))
        return found if inside else ~found & ~_missing(left)

    def _beside(self, node: ast.expr, other: ast.expr, columns: Mapping[str, np.ndarray]) -> Any:
        """The value of a node; a text as what it stands for in the column that it is compared with."""
        match node, other:
            case ast.Constant(value=str() as word), ast.Name(id=name) if _kind(columns[name]) == "whole number":
                if name in CODES:
                    return self._code(word, name, CODES[name])
                if name in MASKS:
                    raise self._error(f"flags are many; write '{word}' in {name}")
            case ast.Constant(value=str() as text), ast.Name(id=name) if name in _ANY_CASE:
                spelled = set(columns[name].tolist())
                alike = sorted(own for own in spelled if own.casefold() == text.casefold())
                if text not in spelled and len(alike) == 1:
                    return alike[0]
        return self._value(node, columns)

    def _code(self, word: str, name: str, table: Mapping[int, str]) -> int:
        plain = word.strip().lower().replace(",", "").replace(" ", "_")
        for number, known in table.items():
            if known == plain:
                return number
        raise self._error(f"{name} has no {word!r}; {nearest(plain, list(table.values()))}")

    def _compare(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        kinds = {_kind(left), _kind(right)}
        if "text" in kinds and len(kinds) > 1:
            raise self._error("cannot compare a text with a number")
        if type(op) not in _COMPARE:
            raise self._error("'is' is not part of the language, use ==")
        found = _COMPARE[type(op)](left, right)
        return found & ~_missing(left) & ~_missing(right) if isinstance(op, ast.NotEq) else found

    def _condition(self, node: ast.expr, columns: Mapping[str, np.ndarray]) -> Any:
        value = self._value(node, columns)
        if _kind(value) != "condition":
            raise self._error(f"{ast.unparse(node)!r} is a {_kind(value)}, not a condition; compare it")
        return value

    def _number(self, node: ast.expr, columns: Mapping[str, np.ndarray]) -> Any:
        value = self._value(node, columns)
        if _kind(value) in ("text", "condition"):
            raise self._error(f"{ast.unparse(node)!r} is a {_kind(value)}, not a number")
        return value

    def _nodes(self) -> list[ast.AST]:
        return [] if self._tree is None else list(ast.walk(self._tree))

    def _error(self, reason: str) -> InputError:
        shown = self.text if len(self.text) <= 80 else self.text[:77] + "..."
        return InputError(f"expression {shown!r}: {reason}")


def _kind(value: Any) -> str:
    if type(value) is int:
        return "whole number"
    dtype = np.asarray(value).dtype
    return {"b": "condition", "i": "whole number", "u": "whole number", "f": "number"}.get(dtype.kind, "text")


def _missing(value: Any) -> Any:
    return np.isnan(value) if _kind(value) == "number" else np.False_
