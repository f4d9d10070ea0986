"""The one environment that fills templates: what is put in is escaped, and every page carries the disclaimer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_for_sudan.files import write_text
from ai_for_sudan.pages.words import DISCLAIMER, interval, p_value, percent, share_interval

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(package: str) -> Environment:
    """Templates of a package (its folder ``templates``), which may extend ``page.html`` of this one."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader

    loader = ChoiceLoader([PackageLoader(package), PackageLoader("ai_for_sudan.pages")])
    made = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"interval": narrow_interval, "p": p_value, "percent": percent, "share_interval": share_interval}
    made.globals["disclaimer"] = DISCLAIMER
    return made


def narrow_interval(value: Any, digits: int = 3, missing: str = "-") -> str:
    """:func:`interval`, which breaks into two lines before the bracket only."""
    return interval(value, digits, missing).replace(" to ", "\u00a0to\u00a0")


def write_page(package: str, path: Path, **values: Any) -> None:
    """Fill the template of a package that is named like the file, and write it.

    Raises:
        UserError: the page cannot be written.
    """
    write_text(path, environment(package).get_template(path.name).render(**values))
