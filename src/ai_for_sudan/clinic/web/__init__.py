"""The HTTP side of the clinic: accounts, worklist, verdicts, exports, and the pages that show them."""

from ai_for_sudan.clinic.web.desk import Desk
from ai_for_sudan.clinic.web.serving import server

__all__ = ["Desk", "server"]
