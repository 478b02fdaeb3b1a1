"""A hook of mkdocs: equations between dollar signs become MathML, which browsers draw without a script.

Markdown would take the MathML apart, and TeX no less; so a mark stands for each equation until the page is HTML.
"""

from __future__ import annotations

import re
from typing import Any

from latex2mathml.converter import convert

_CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
_EQUATION = re.compile(r"\$\$(.+?)\$\$|(?<![\\\w$])\$([^$]+?)\$(?!\w)", re.DOTALL)
_MARK = re.compile(r"(?:<p>)?\ue000(\d+)\ue000(?:</p>)?")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put marks where equations are, outside code."""
    equations: list[str] = page.meta.setdefault("equations", [])

    def mark(found: re.Match[str]) -> str:
        block, inline = found.groups()
        equations.append(convert(block, display="block") if block else convert(inline))
        return f"\ue000{len(equations) - 1}\ue000"

    parts = _CODE.split(markdown)
    return "".join(part if number % 2 else _EQUATION.sub(mark, part) for number, part in enumerate(parts))


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Put the equations where their marks are."""
    equations = page.meta.get("equations", [])

    def equation(found: re.Match[str]) -> str:
        text = equations[int(found[1])]
        # A mark alone in its paragraph is an equation set apart; others lose nothing of what is around them.
        alone = found[0].startswith("<p>") and found[0].endswith("</p>")
        return text if alone else found[0].replace(f"\ue000{found[1]}\ue000", text)

    return _MARK.sub(equation, html)
