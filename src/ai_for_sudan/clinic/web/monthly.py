"""The monthly page: what `ai-for-sudan monitor` says of all readings up to the end of a month."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import threading
from datetime import date
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from ai_for_sudan.clinic.store import trail
from ai_for_sudan.clinic.store.tables import now
from ai_for_sudan.clinic.web.access import Anybody
from ai_for_sudan.clinic.web.desk import Desk
from ai_for_sudan.clinic.web.exports import entries
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.values import gives
from ai_for_sudan.files import replacing

router = APIRouter()
#: seconds; it runs as a process of its own, so that its memory goes back
LONGEST = 300
_one_at_a_time = threading.Lock()
# The page of `monitor` holds its own style and pictures, and no script.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"


@router.get("/monthly/{month}", **gives("text/html"))
def page(call: Anybody, month: str) -> Response:
    """Give the page of a month, such as 2026-11."""
    today = now().date()
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", month) or month > today.isoformat()[:7]:
        raise Refusal(404, "unknown", "expected a month that has begun, such as 2026-11")
    if importlib.util.find_spec("scipy") is None or importlib.util.find_spec("sklearn") is None:
        raise Refusal(409, "no_monitor", "the monthly page needs the extra [site]: see docs/clinic.md")
    content = make(call.desk, month, today)
    return Response(content, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY})


def make(desk: Desk, month: str, today: date) -> bytes:
    """The page, made once for a month that is over."""
    kept = desk.store.folder / "monthly" / f"{month}.html"
    over = month < today.isoformat()[:7]
    if over and kept.is_file():
        return kept.read_bytes()
    with _one_at_a_time, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = 0
        with (folder / "readings.jsonl").open("w", encoding="utf-8") as file:
            for _, entry in entries(desk):
                if entry["date"][:7] <= month:
                    file.write(json.dumps(entry, allow_nan=False) + "\n")
                    count += 1
        if not count:
            raise Refusal(409, "no_readings", "there are no readings up to that month")
        command: list[Any] = [sys.executable, "-m", "ai_for_sudan", "monitor", folder / "readings.jsonl"]
        try:
            done = subprocess.run(
                [*command, "--output_dir", folder / "page"], capture_output=True, text=True, timeout=LONGEST
            )
        except subprocess.TimeoutExpired as error:
            raise Refusal(503, "busy", "the page takes too long on this machine; try again at night") from error
        made = folder / "page" / "monitor.html"
        # 1 is an alarm, which the page shows.
        if done.returncode not in (0, 1) or not made.is_file():
            words = (done.stderr.strip().splitlines() or ["no reason given"])[-1][:300]
            raise Refusal(409, "no_monitor", words)
        content = made.read_bytes()
    with desk.store.reading() as session:
        last = trail.head(session)
    footer = f"<p><small>Last hash of the clinic's trail: {last}</small></p></body>"
    content = content.replace(b"</body>", footer.encode())
    if over:
        with replacing(kept) as temporary:
            temporary.write_bytes(content)
    return content
