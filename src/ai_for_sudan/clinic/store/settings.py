"""Named values that the program keeps for itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store.tables import Setting


def get(session: Session, key: str) -> dict[str, Any] | None:
    row = session.get(Setting, key)
    return None if row is None else row.value


def put(session: Session, key: str, value: dict[str, Any]) -> None:
    session.merge(Setting(key=key, value=value))
