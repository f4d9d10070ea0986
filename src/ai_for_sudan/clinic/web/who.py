"""Who calls the server."""

from __future__ import annotations

from dataclasses import dataclass

from ai_for_sudan.clinic.web.refusals import Refusal


@dataclass(frozen=True)
class Who:
    """Who calls.

    Attributes:
        actor: as the trail names it: ``user:amina``, ``device:3``, ``nobody``.
        csrf: what a browser must repeat with every change; empty where no cookie speaks for the caller.
        changing: has a one-time code only and may do nothing but choose a password.
    """

    actor: str = "nobody"
    role: str = ""
    user_id: int | None = None
    device_id: int | None = None
    login_id: int | None = None
    name: str = ""
    csrf: str = ""
    changing: bool = False

    @property
    def user(self) -> int:
        """The user that this call acts for.

        Raises:
            Refusal: 401, nobody is logged in.
        """
        if self.user_id is None:
            raise Refusal(401, "login", "log in first")
        return self.user_id
