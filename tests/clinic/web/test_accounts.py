"""Accounts, sessions, CSRF, and a viewer who knocks at every door."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from ai_for_sudan.clinic.store.tables import Login, Stranger, User, now
from ai_for_sudan.clinic.web import accounts, passwords
from tests.clinic.web.conftest import PASSWORD, Clinic, addresses


def address_of(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda match: "1" if match[1] != "name" else "amina", path)


@pytest.mark.parametrize("role", ["viewer", "clinician"])
def test_every_address_that_a_role_may_not_call_refuses_it_and_the_trail_tells(clinic: Clinic, role: str) -> None:
    closed = [e for e in addresses(clinic) if e.roles and role not in e.roles]
    assert len(closed) >= 8  # the administrators' and the phones'
    client = clinic.person("omar", role)
    for endpoint in closed:
        answer = client.request(endpoint.method, address_of(endpoint.path), json={})
        assert (answer.status_code, answer.json()["error"]) == (403, "role"), endpoint
    refused = {row.subject for row in clinic.trail("access.refused") if row.actor == "user:omar"}
    assert refused == {f"{e.method} {e.path}" for e in closed}


def test_nobody_gets_anything_but_what_is_public(clinic: Clinic) -> None:
    client = clinic.nobody()
    assert len(addresses(clinic)) >= 42
    for endpoint in addresses(clinic):
        if endpoint.roles:
            answer = client.request(endpoint.method, address_of(endpoint.path), json={})
            assert answer.status_code == 401, endpoint
    public = {e.path for e in addresses(clinic) if not e.roles}
    assert public == {
        "/api/session", "/api/phone", "/health", "/fhir/metadata", "/trust/clinic.crt", "/api/certificate"
    }  # fmt: skip


def test_every_change_needs_the_token_of_its_session(clinic: Clinic) -> None:
    client = clinic.person("amina", "administrator")
    token = client.headers.pop("X-CSRF-Token")
    for endpoint in addresses(clinic):
        if endpoint.method in ("POST", "PATCH", "DELETE") and "administrator" in endpoint.roles:
            for wrong in ({}, {"X-CSRF-Token": "x" * len(token)}):
                answer = client.request(endpoint.method, address_of(endpoint.path), json={}, headers=wrong)
                assert (answer.status_code, answer.json()["error"]) == (403, "csrf"), endpoint


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_sites_page_cannot_even_log_in(clinic: Clinic, headers: dict[str, str]) -> None:
    clinic.user("amina")
    answer = clinic.nobody().post("/api/session", json={"name": "amina", "password": PASSWORD}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "csrf")


def test_a_form_of_another_site_cannot_log_in(clinic: Clinic) -> None:
    clinic.user("amina")
    answer = clinic.nobody().post("/api/session", data={"name": "amina", "password": PASSWORD})
    assert answer.status_code == 415


def test_the_cookie_is_tied_to_this_server_and_hidden_from_scripts(clinic: Clinic) -> None:
    clinic.user("amina")
    answer = clinic.nobody().post("/api/session", json={"name": "amina", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie


def test_a_session_ends_with_its_user(clinic: Clinic) -> None:
    boss, client = clinic.person("boss", "administrator"), clinic.person("amina")
    assert client.get("/api/reader").status_code == 200
    assert boss.patch("/api/users/amina", json={"closed": True}).status_code == 200
    assert client.get("/api/reader").status_code == 401
    # Opened again, the old session does not come back.
    boss.patch("/api/users/amina", json={"closed": False})
    assert client.get("/api/reader").status_code == 401


def test_a_session_of_a_row_that_was_deleted_by_force_is_nobodys(clinic: Clinic) -> None:
    client = clinic.person("amina")
    with sqlite3.connect(clinic.store.file) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM users WHERE name = 'amina'")
    assert client.get("/api/reader").status_code == 401


@pytest.mark.parametrize(
    "values", [{"expires_at": now() - timedelta(seconds=1)}, {"seen_at": now() - accounts.IDLE - timedelta(minutes=1)}]
)
def test_a_session_ends_after_its_time(clinic: Clinic, values: dict[str, object]) -> None:
    client = clinic.person("amina")
    with clinic.store.writing() as session:
        login = session.scalars(select(Login)).one()
        for key, value in values.items():
            setattr(login, key, value)
    assert client.get("/api/reader").status_code == 401
    with clinic.store.reading() as session:
        assert session.scalar(select(Login)) is None


def test_another_role_ends_the_sessions_that_had_the_old_one(clinic: Clinic) -> None:
    boss, client = clinic.person("boss", "administrator"), clinic.person("amina", "administrator")
    boss.patch("/api/users/amina", json={"role": "viewer"})
    assert client.get("/api/users").status_code == 401


@pytest.mark.parametrize("name", ["amina", "stranger"])
def test_a_name_is_locked_longer_with_every_wrong_password(clinic: Clinic, name: str) -> None:
    clinic.user("amina")
    client = clinic.nobody()
    wrong = {"name": name, "password": "not this one"}
    for _ in range(accounts.FREE_TRIES):
        assert client.post("/api/session", json=wrong).json()["error"] == "credentials"
    waits = []
    for _ in range(3):
        answer = client.post("/api/session", json=wrong)
        assert answer.status_code == 429 and "retry-after" in answer.headers
        waits.append(answer.json()["seconds"])
        # The lock has run out.
        with clinic.store.writing() as session:
            for user in (*session.scalars(select(User)), *session.scalars(select(Stranger))):
                user.locked_until = now() - timedelta(seconds=1) if user.locked_until else None
        assert client.post("/api/session", json=wrong).status_code == 401
    assert waits[0] <= 31 and waits[1] > 1.8 * waits[0] and waits[2] > 1.8 * waits[1]


def test_of_fifty_guesses_at_once_no_more_are_looked_at_than_are_free(clinic: Clinic) -> None:
    clinic.user("amina")

    def guess(number: int) -> int:
        with clinic.nobody() as client:
            answer = client.post("/api/session", json={"name": "amina", "password": f"guess {number}"})
            return int(answer.status_code)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(guess, range(50)))
    assert answers.count(401) == accounts.FREE_TRIES and answers.count(429) == 50 - accounts.FREE_TRIES


def test_while_a_name_is_locked_the_right_password_does_not_help(clinic: Clinic) -> None:
    clinic.user("amina")
    client = clinic.nobody()
    for _ in range(accounts.FREE_TRIES):
        client.post("/api/session", json={"name": "amina", "password": "wrong"})
    assert client.post("/api/session", json={"name": "amina", "password": PASSWORD}).status_code == 429
    assert [row.detail for row in clinic.trail("session.refused")][-1] == '{"tries": 5}'


def test_a_stolen_database_opens_nothing(clinic: Clinic) -> None:
    client = clinic.person("amina", "administrator")
    code = client.post("/api/users", json={"name": "omar", "full_name": "", "role": "viewer"}).json()["code"]
    phone = client.post("/api/pairings").json()["address"].rpartition("/")[2]
    token = client.post("/api/phone", json={"code": phone, "name": "p"}).json()["token"]
    cookie = client.cookies["session"]
    content = clinic.store.file.read_bytes() + clinic.store.file.with_suffix(".sqlite3-wal").read_bytes()
    for secret in (PASSWORD, code, phone, token, cookie):
        assert secret.encode() not in content
    assert content.count(b"$argon2id$") >= 2


def test_a_new_account_is_opened_once_by_its_code(clinic: Clinic) -> None:
    boss = clinic.person("boss", "administrator")
    code = boss.post("/api/users", json={"name": "Omar", "full_name": "Dr Omar", "role": "clinician"}).json()["code"]
    omar = clinic.nobody().log_in("omar", code)
    assert omar.get("/api/reader").json()["error"] == "must_change_password"
    assert clinic.nobody().post("/api/session", json={"name": "omar", "password": code}).status_code == 401
    assert omar.post("/api/session/password", json={"old": "", "new": "clinic2024"}).json() == {
        "error": "password", "message": "choose another password", "fault": "common",
    }  # fmt: skip
    assert omar.post("/api/session/password", json={"old": "", "new": "nine green doors"}).status_code == 200
    assert omar.get("/api/reader").status_code == 200
    clinic.nobody().log_in("omar", "nine green doors")


def test_a_code_is_good_for_some_days(clinic: Clinic) -> None:
    boss = clinic.person("boss", "administrator")
    code = boss.post("/api/users", json={"name": "omar", "full_name": "", "role": "clinician"}).json()["code"]
    with clinic.store.writing() as session:
        session.scalars(select(User).where(User.name == "omar")).one().code_expires_at = now() - timedelta(seconds=1)
    assert clinic.nobody().post("/api/session", json={"name": "omar", "password": code}).status_code == 401


def test_an_administrator_resets_a_forgotten_password(clinic: Clinic) -> None:
    boss, amina = clinic.person("boss", "administrator"), clinic.person("amina")
    code = boss.post("/api/users/amina/reset").json()["code"]
    assert amina.get("/api/reader").status_code == 401  # whoever had the session is out
    assert clinic.nobody().post("/api/session", json={"name": "amina", "password": PASSWORD}).status_code == 401
    clinic.nobody().log_in("amina", code)
    assert [(row.actor, row.subject) for row in clinic.trail("user.reset")] == [("user:boss", "user:amina")]


def test_the_last_administrator_stays(clinic: Clinic) -> None:
    boss = clinic.person("boss", "administrator")
    for change in ({"role": "viewer"}, {"closed": True}):
        assert boss.patch("/api/users/boss", json=change).json()["error"] == "last_administrator"


def test_the_emergency_password_leaves_a_trace(clinic: Clinic) -> None:
    clinic.user("boss", "administrator")
    clinic.user("amina")
    code = accounts.emergency_password(clinic.store, "Boss", "root")
    client = clinic.nobody().log_in("boss", code)
    assert client.post("/api/session/password", json={"old": "", "new": "nine green doors"}).status_code == 200
    (row,) = clinic.trail("user.emergency_password")
    assert (row.actor, row.subject) == ("machine:root", "user:boss")
    with pytest.raises(Exception, match="administrator"):
        accounts.emergency_password(clinic.store, "amina", "root")


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("short", "short"), ("x" * 201, "long"), ("aaaaaaaaaaaa", "simple"), ("abcdefghijkl", "simple"),
        ("9876543210", "simple"), ("P@ssw0rd2024", "common"), ("Khartoum12345", "common"), ("amina-12345!", "name"),
        ("seven blue boats", None), ("سبعة قوارب زرقاء", None),
    ],
)  # fmt: skip
def test_rules_of_new_passwords(password: str, fault: str | None) -> None:
    assert passwords.fault(password, "amina") == fault


def test_hosts_that_are_not_ours_are_refused(start: Callable[..., Clinic]) -> None:
    clinic = start(web={"names": ["clinic.local"]})
    client = clinic.nobody()
    assert client.get("/health", headers={"Host": "evil.example"}).status_code == 400
    for name in ("clinic.local:8443", "127.0.0.1", "Clinic.Local"):
        assert client.get("/health", headers={"Host": name}).status_code == 200
