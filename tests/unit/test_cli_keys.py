"""`doorpad keys` and `doorpad audit`, by a configuration file, as an owner types them."""

import asyncio
import json
import os
import pwd

import pytest
from doorpad import os_user
from doorpad.api.keys import ApiKeys, read_keys
from doorpad.cli import app
from doorpad.store.audit import Actor, acting
from doorpad.store.database import Database
from doorpad.store.schema import Hub
from typer.testing import CliRunner


@pytest.fixture
def run(tmp_path):
    config = tmp_path / "doorpad.toml"
    config.write_text('data = "state"\n')

    def run(*words, code=0):
        done = CliRunner().invoke(app, [*words, "--config", str(config)])
        assert done.exit_code == code, done.output
        return done

    return run


def test_created_key_works_until_it_is_revoked(run, tmp_path):
    key = run("keys", "create", "Front desk", "--read-only").stdout.strip()
    live = ApiKeys(tmp_path / "state")
    assert live.accept(key).read_only
    shown = run("keys", "list").stdout
    assert "Front desk" in shown
    assert "read-only" in shown
    assert key not in shown
    run("keys", "revoke", "Front desk")
    assert live.accept(key) is None
    assert "revoked" in run("keys", "list").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("keys", "create", ""), "1 to 64 characters"),
        (("keys", "revoke", "nobody"), "no API key in use"),
        (("audit",), "has a bridge of this version used it?"),
    ],
)
def test_mistake_is_told_in_one_line(run, words, said):
    done = run(*words, code=2)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_audit_shows_changes_of_a_database_that_is_in_use(run, tmp_path):
    async def change():
        database = await Database.open(tmp_path / "state")
        acting.set(
            Actor("0123456789ab", "Front desk", "r" * 36, "/connected_accounts/update", 1_800_000_000_000)
        )
        async with database.write() as session:
            (await session.get_one(Hub, 1)).custom_metadata = {"house": "7"}
        shown = run("audit").stdout, run("audit", "--json").stdout
        await database.close()
        return shown

    line, as_json = asyncio.run(change())
    assert "2027-01-15T08:00:00" in line
    assert "Front desk  changed connected_account" in line
    assert "(custom_metadata)" in line
    assert '"fields": ["custom_metadata"]' in as_json


def test_audit_shows_who_made_and_revoked_a_key(run, tmp_path):
    run("keys", "create", "Front desk")
    run("keys", "revoke", "Front desk")
    (key,) = read_keys(tmp_path / "state")

    async def change():
        database = await Database.open(tmp_path / "state")
        acting.set(Actor(key.key_id, "Front desk", "r" * 36, "/connected_accounts/update", 1))  # in 1970
        async with database.write() as session:
            (await session.get_one(Hub, 1)).custom_metadata = {"house": "7"}
        await database.close()

    asyncio.run(change())
    told = [json.loads(line) for line in run("audit", "--json").stdout.splitlines()]
    user = f"user {pwd.getpwuid(os.getuid()).pw_name}"
    assert [(it["key_name"], it["did"], it["subject"]) for it in told] == [
        ("Front desk", "changed", "connected_account"),
        (user, "created", "api_key"),
        (user, "deleted", "api_key"),
    ]
    assert {it["subject_id"] for it in told[1:]} == {key.key_id}
    assert len({frozenset(it) - {"seq"} for it in told}) == 1


def test_user_is_whom_the_system_knows_and_whoever_became_that_by_sudo(monkeypatch):
    user = pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.delenv("SUDO_USER", raising=False)
    for name in ("LOGNAME", "USER"):
        monkeypatch.setenv(name, "somebody-else")
    assert os_user.name() == user
    monkeypatch.setenv("SUDO_USER", "ann")
    assert os_user.name() == f"ann as {user}"
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)  # as in a container
    assert os_user.name() == "ann as uid 4000000000"
