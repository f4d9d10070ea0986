"""How to install what a command lacks, by a command that works here.

The project is on no package index, so its bare name must never be installed from one: whoever claims the name there
would be trusted by every clinic that follows the advice.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname


def install_command(extra: str) -> str:
    """``pip install`` of this very checkout or wheel with one of its extras."""
    return f'pip install "{_source()}[{extra}]"'


def _source() -> str:
    """The folder or wheel that this program runs or was installed from; where that is gone, a wheel beside the user."""
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        return str(checkout)
    from ai_for_sudan.version import __version__

    wheel = f"./ai_for_sudan-{__version__}-py3-none-any.whl"
    try:
        # PEP 610: what pip notes of a folder or file that it installed from.
        noted = metadata.distribution("ai-for-sudan").read_text("direct_url.json")
        address = urlsplit(str(json.loads(noted or "{}")["url"]))
    except (metadata.PackageNotFoundError, ValueError, KeyError, TypeError):
        return wheel
    path = Path(url2pathname(address.path))
    return str(path) if address.scheme == "file" and path.exists() else wheel
