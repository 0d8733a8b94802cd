"""The commands that look after the database, the keys and the whole installation."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select, update

from advisor.cli import main
from advisor.services import keys
from advisor.settings import Settings, variables
from advisor.store import schema
from advisor.store.database import Database, now_ms
from advisor.store.tables import api_keys, batches, webhook_deliveries, webhook_endpoints, workspaces

Run = Callable[..., Result]
ROOT = Path(__file__).parent.parent
NEWEST = schema.head()


@pytest.fixture
def run(settings: Settings) -> Run:
    """Run the command on the database of the test."""
    unset = [name for name in os.environ if name.startswith(("ADVISOR_", "COLUMNS", "NO_COLOR", "FORCE_COLOR"))]

    def invoke(*args: str, **environment: str) -> Result:
        given = {
            "ADVISOR_DATABASE_URL": settings.database_url,
            "ADVISOR_SECRET_KEY": settings.secret_key or "",
            "ADVISOR_FILES_DIR": str(settings.files_dir),
            "ADVISOR_FREE_SPACE": "0",
        }
        variables: dict[str, str | None] = dict.fromkeys(unset)
        return CliRunner(env=variables | given | environment).invoke(main, args, input="")

    return invoke


def done(result: Result) -> str:
    """Check that a command ended well; gives what it printed."""
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def refused(result: Result) -> str:
    """Check that a command was refused with whole sentences; gives them."""
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("advisor: ") and result.stderr.endswith((".\n", "?\n"))
    return result.stderr.removeprefix("advisor: ")


# advisor db


def test_a_database_goes_back_and_forth(run: Run, database: Database) -> None:
    assert done(run("db", "upgrade")).endswith(f" has layout {NEWEST} already. Nothing was changed.\n")
    assert done(run("db", "check")).endswith(f" has layout {NEWEST} and no faults.\n")
    back = run("db", "downgrade", "0001_accounts", "--yes")
    assert (back.exit_code, back.stdout.endswith(f" was brought from layout {NEWEST} to 0001_accounts.\n")) == (0, True)
    assert "  0003_webhooks: Keep webhook endpoints and the outbox of their deliveries.\n" in back.stderr
    assert "  0004_unread_columns: Keep which columns of a batch's file were not read.\n" in back.stderr
    behind = run("db", "check")
    assert (behind.exit_code, behind.stdout) == (
        1,
        f"The layout is version 0001_accounts; this program needs {NEWEST}: `advisor db upgrade`.\n",
    )
    assert done(run("db", "upgrade", "--to", "0002_batches")).endswith(" from layout 0001_accounts to 0002_batches.\n")
    assert done(run("db", "upgrade")).endswith(f" was brought from layout 0002_batches to {NEWEST}.\n")


def test_going_back_is_not_done_without_being_asked_for(run: Run, database: Database) -> None:
    result = run("db", "downgrade", "base")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "deletes for good" in result.stderr
    assert result.stderr.endswith("advisor: Nothing was changed. With --yes it is done without asking.\n")
    assert schema.current(database) == NEWEST
    assert refused(run("db", "downgrade", "0009_nonsense", "--yes")).startswith("There is no layout 0009_nonsense. ")
    assert "which is not later than" in refused(run("db", "downgrade", NEWEST, "--yes"))
    assert refused(run("db", "upgrade", "--to", "nonsense"))


def test_check_prints_a_line_for_each_fault(run: Run, database: Database) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE shared_result")
        connection.exec_driver_sql("ALTER TABLE seller ADD COLUMN extra TEXT")
    result = run("db", "check")
    lines = result.stdout.splitlines()
    assert (result.exit_code, len(lines) >= 2) == (1, True)
    assert any("shared_result" in line for line in lines) and any("extra" in line for line in lines)


def test_a_backup_holds_everything(
    run: Run, database: Database, settings: Settings, tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as connection:
        keys.create(connection, settings.secret(), "Acme")
    programs = Path(postgres.bin_path)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    copy = tmp_path / "copy"
    assert re.search(rf"was copied to {re.escape(str(copy))} \(\d+ bytes\)\.\n$", done(run("db", "backup", str(copy))))
    assert oct(copy.stat().st_mode)[-3:] == "600"
    assert refused(run("db", "backup", str(copy))) == f"{copy} exists. Name a new file.\n"
    assert "does not exist" in refused(run("db", "backup", str(tmp_path / "no" / "copy")))
    if database.is_sqlite:
        restored = Database(f"sqlite:///{copy}")
        assert schema.check(restored) == []
        with restored.reading() as connection:
            assert connection.execute(select(workspaces.c.name)).scalars().all() == ["Acme"]
        restored.close()
    else:
        listed = subprocess.run([programs / "pg_restore", "--list", copy], capture_output=True, text=True, check=True)
        assert "TABLE DATA public api_key" in listed.stdout


@pytest.mark.parametrize("command", [["db", "check"], ["keys", "list"], ["keys", "create", "--workspace", "Acme"]])
def test_a_database_that_is_not_there_is_said_so(command: list[str], run: Run, tmp_path: Path) -> None:
    nowhere = tmp_path / "none.db"
    result = run(*command, ADVISOR_DATABASE_URL=f"sqlite:///{nowhere}")
    said = result.stdout + result.stderr
    assert (result.exit_code > 0, f"There is no database {nowhere}. `advisor db upgrade` makes it.\n" in said) == (
        True,
        True,
    )
    assert not nowhere.exists()
    unreachable = run(*command, ADVISOR_DATABASE_URL="postgresql://127.0.0.1:9/none")
    assert refused(unreachable) == "The database cannot be reached or is too busy. Try again soon.\n"


def test_keys_need_the_layout(run: Run, database: Database) -> None:
    schema.downgrade(database, "base")
    sentence = "The database has not this version's layout yet. `advisor db upgrade` brings it there.\n"
    assert refused(run("keys", "list")) == refused(run("keys", "create", "--workspace", "Acme")) == sentence


# advisor keys


def test_a_key_is_printed_once_and_alone(run: Run, workspace: Any) -> None:
    made = run(
        "keys", "create", "--workspace", "Acme", "--name", "importer", "--scope", "sellers:read", "--expires-in", "30"
    )
    assert made.exit_code == 0
    key = made.stdout.removesuffix("\n")
    assert keys.is_well_formed(key) and key.startswith("sk_")
    assert "A new workspace was made" not in made.stderr
    assert "It expires in 30 days." in made.stderr and "never again" in made.stderr and key not in made.stderr
    mine = workspace.with_key(key)
    assert mine.get("/v1/sellers").status_code == 200
    assert mine.put("/v1/sellers/A1", json={"marketplace": "US"}).status_code == 403
    for listed in (done(run("keys", "list")), done(run("keys", "list", "--json"))):
        assert key.split("_")[1] in listed
        assert key.split("_")[2] not in listed and key.split("_")[2][:12] not in listed


def test_keys_are_listed_for_people_and_for_programs(run: Run, workspace: Any, database: Database) -> None:
    workspace.get("/v1/sellers")
    run(
        "keys",
        "create",
        "--workspace",
        "Zed",
        "--publishable",
        "--origin",
        "https://a.example",
        "--origin",
        "https://b.example",
    )
    (mine, theirs) = json.loads(done(run("keys", "list", "--json")))["items"]
    assert (mine["workspace"], mine["kind"], mine["state"], mine["scopes"]) == (
        "Acme",
        "secret",
        "live",
        sorted(keys.SCOPES),
    )
    assert mine["last_used_on"] is not None and mine["expires_at"] is None
    assert (theirs["workspace"], theirs["kind"], theirs["scopes"]) == ("Zed", "publishable", [])
    assert theirs["origins"] == ["https://a.example", "https://b.example"]
    lines = done(run("keys", "list", COLUMNS="200")).splitlines()
    assert lines[0].split("  ")[0] == "workspace"
    assert re.fullmatch(
        rf"Acme +{mine['id']} +default +secret +live +never +{mine['last_used_on']} +everything", lines[1]
    )
    assert len(done(run("keys", "list", "--workspace", "Zed", COLUMNS="200")).splitlines()) == 2
    assert "There is no key of a workspace named Nobody." in refused(run("keys", "list", "--workspace", "Nobody"))
    with database.writing() as connection:
        connection.execute(update(api_keys).values(expires_at=now_ms() - 1))
    assert {one["state"] for one in json.loads(done(run("keys", "list", "--json")))["items"]} == {"expired"}


def test_a_revoked_key_opens_nothing(run: Run, workspace: Any) -> None:
    key_id = workspace.key.split("_")[1]
    assert workspace.get("/v1/sellers").status_code == 200
    assert (
        done(run("keys", "revoke", key_id))
        == f"The key {key_id} is revoked: requests with it are refused from now on.\n"
    )
    assert workspace.get("/v1/sellers").status_code == 401
    assert done(run("keys", "revoke", workspace.key)).startswith(f"The key {key_id} is revoked")
    assert json.loads(done(run("keys", "list", "--json")))["items"][0]["state"] == "revoked"
    assert refused(run("keys", "revoke", "00000000")).startswith("There is no key 00000000. ")


def test_a_workspace_of_a_mistyped_name_is_no_surprise(run: Run, workspace: Any) -> None:
    made = run("keys", "create", "--workspace", "acme")
    assert (made.exit_code, "A new workspace was made: acme.\n" in made.stderr) == (0, True)


def test_there_are_no_keys_at_first(run: Run) -> None:
    assert done(run("keys", "list")) == "There are no keys. `advisor keys create --workspace NAME` makes one.\n"
    assert json.loads(done(run("keys", "list", "--json"))) == {"items": []}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--scope", "everything"], "There is no scope everything. "),
        (["--publishable"], "A publishable key is bound to the pages that use it: "),
        (["--origin", "https://a.example"], "Only a publishable key is bound to origins: "),
        (
            ["--publishable", "--origin", "https://a.example", "--scope", "sellers:read"],
            "A publishable key opens no stored ",
        ),
        (["--publishable", "--origin", "https://a.example/path"], "'https://a.example/path' is no origin. "),
        (["--publishable", "--origin", "https://*.example"], "'https://*.example' is no origin. "),
        (["--name", ""], "The name of a key has 1 to 100 printable characters."),
    ],
)
def test_options_of_a_key_that_do_not_go_together_are_refused(run: Run, options: list[str], sentence: str) -> None:
    assert refused(run("keys", "create", "--workspace", "Acme", *options)).startswith(sentence)
    assert json.loads(done(run("keys", "list", "--json"))) == {"items": []}


def test_a_third_live_key_of_a_name_is_refused(run: Run) -> None:
    assert [run("keys", "create", "--workspace", "Acme").exit_code for _ in range(2)] == [0, 0]
    assert refused(run("keys", "create", "--workspace", "Acme")).startswith("Acme has 2 live keys named default: ")


# advisor doctor


def findings(result: Result) -> dict[str, list[tuple[str, str]]]:
    """Read the answer: by part, each state with its sentence."""
    assert result.stderr == ""
    answer = json.loads(result.stdout)
    faulty = any(one["state"] == "fault" for one in answer["findings"])
    assert (answer["faulty"], result.exit_code) == (faulty, int(faulty))
    found: dict[str, list[tuple[str, str]]] = {}
    for one in answer["findings"]:
        found.setdefault(one["part"], []).append((one["state"], one["detail"]))
    return found


def test_the_doctor_finds_nothing_wrong(run: Run, settings: Settings) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[-1].startswith("Faults: 0. Warnings: ")
    assert {line.split()[1] for line in lines[:-1]} == {
        "settings",
        "clock",
        "data",
        "disk",
        "limits",
        "database",
        "worker",
    }
    assert {line.split()[0] for line in lines[:-1]} <= {"ok", "warning"}
    assert not settings.files_dir.exists()  # it only looks


def test_the_doctor_names_misspelt_settings_and_what_may_be_meant(run: Run) -> None:
    found = findings(run("doctor", "--json", ADVISOR_RATE_LIMT="off", ADVISOR_FOO="1"))
    assert found["settings"] == [
        ("fault", "ADVISOR_FOO is set, and there is no such setting. The table in the README names those there are."),
        ("fault", "ADVISOR_RATE_LIMT is set, and there is no such setting. ADVISOR_RATE_LIMIT may be meant."),
    ]
    assert found["database"][0][0] == "ok"


def test_keys_of_another_secret_are_named(run: Run, workspace: Any, settings: Settings, database: Database) -> None:
    assert "keys" not in findings(run("doctor", "--json"))
    other = {"ADVISOR_SECRET_KEY": "another secret of the tests"}
    key_id = workspace.key.split("_")[1]
    said = f"Live keys were made with another ADVISOR_SECRET_KEY than this, and are refused: {key_id}. "
    ((state, detail),) = findings(run("doctor", "--json", **other))["keys"]
    assert (state, detail.startswith(said)) == ("fault", True)
    ((state, _),) = findings(run("doctor", "--json", ADVISOR_SECRET_KEY=""))["keys"]  # and there is none to take
    assert (state, list(settings.files_dir.parent.glob("secret-key"))) == ("fault", [])
    made = run("keys", "create", "--workspace", "Acme", **other)
    assert (made.exit_code, said in made.stderr) == (0, True)
    run("keys", "revoke", key_id)
    assert "keys" not in findings(run("doctor", "--json", **other))
    with database.writing() as connection:
        connection.execute(update(api_keys).values(made_with=None))  # of keys from before nothing is known
    assert "keys" not in findings(run("doctor", "--json"))


def test_the_doctor_says_one_thing_once(run: Run, tmp_path: Path) -> None:
    found = findings(run("doctor", "--json", ADVISOR_DATABASE_URL="foo.db", ADVISOR_SECRET_KEY=""))
    assert found["settings"][0][0] == "ok" and found["database"][0][0] == "fault"
    (fault,) = findings(run("doctor", "--json", ADVISOR_DATA_DIR="/nope"))["data"]
    assert fault == ("fault", "There is no directory /nope with rule data. ADVISOR_DATA_DIR names it.")
    ((_, detail),) = findings(run("doctor", "--json", ADVISOR_DATA_DIR=str(tmp_path)))["data"]
    assert re.search(r"missing\. Mistakes in all: \d+; ", detail)


def test_nobody_is_told_to_install_what_may_be_anybodys() -> None:
    text = "".join(path.read_text() for path in (ROOT / "advisor").rglob("*.py"))
    assert sorted(re.findall(r"`pip install ([^`]+)`", text)) == ["'psycopg[binary]'", "redis", "redis"]


def test_every_setting_is_known_to_the_doctor() -> None:
    text = (ROOT / "advisor" / "settings.py").read_text()
    assert set(variables()) == set(re.findall(r"\bADVISOR_[A-Z_]+\b", text))


def test_the_doctor_says_what_a_setting_may_be(run: Run) -> None:
    found = findings(run("doctor", "--json", ADVISOR_RATE_LIMIT="fast"))
    assert list(found) == ["settings"] and found["settings"][0][1].startswith(
        "ADVISOR_RATE_LIMIT is 'fast'; it is off, "
    )


def test_the_doctor_wants_one_secret_for_all_machines(run: Run, database: Database) -> None:
    (state, detail) = findings(run("doctor", "--json", ADVISOR_SECRET_KEY=""))["settings"][0]
    assert (state, "ADVISOR_SECRET_KEY is not set." in detail) == (
        ("ok", False) if database.is_sqlite else ("fault", True)
    )


def test_the_doctor_sees_a_wrong_layout_and_a_database_that_is_away(run: Run, database: Database) -> None:
    schema.downgrade(database, schema.versions()[0])
    ((state, detail),) = findings(run("doctor", "--json"))["database"]
    assert (state, "`advisor db upgrade` brings it there" in detail) == ("fault", True)
    ((state, detail),) = findings(run("doctor", "--json", ADVISOR_DATABASE_URL="postgresql://127.0.0.1:9/none"))[
        "database"
    ]
    assert (state, detail) == ("fault", "The database cannot be reached or is too busy. Try again soon.")
    ((state, detail),) = findings(run("doctor", "--json", ADVISOR_DATABASE_URL="nonsense"))["database"]
    assert (state, detail.startswith("ADVISOR_DATABASE_URL cannot be used")) == ("fault", True)


def test_the_doctor_sees_a_damaged_sqlite_file(run: Run, tmp_path: Path, make_url: Callable[[str], str]) -> None:
    url = make_url("sqlite")
    database = Database(url)
    with database.writing() as connection:
        connection.execute(
            insert(workspaces), [{"id": f"w{n}", "name": f"{n:0900}", "created_at": n} for n in range(200)]
        )
    with database.reading() as connection:
        connection.exec_driver_sql("SELECT 1")
    database.close()
    path = Path(url.removeprefix("sqlite:///"))
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 60_000)
        file.write(b"\xff" * 50_000)
    ((state, detail),) = findings(run("doctor", "--json", ADVISOR_DATABASE_URL=url))["database"]
    assert (state, "is damaged" in detail) == ("fault", True)


def test_the_doctor_sees_a_full_and_an_unwritable_disk(run: Run, tmp_path: Path) -> None:
    found = findings(run("doctor", "--json", ADVISOR_FREE_SPACE=str(2**50)))
    assert {state for state, _ in found["disk"]} == {"fault"}
    (tmp_path / "file").write_text("no directory")
    found = findings(run("doctor", "--json", ADVISOR_FILES_DIR=str(tmp_path / "file" / "files")))
    assert found["disk"][0][0] == "fault" and found["disk"][0][1].startswith(
        f"Nothing can be written to {tmp_path}/file/files"
    )


def test_the_doctor_sees_mistakes_in_the_rule_data_and_facts_that_are_old(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state, detail) = findings(run("doctor", "--json", ADVISOR_DATA_DIR=str(tmp_path)))["data"][0]
    assert (state, bool(detail)) == ("fault", True)
    on(monkeypatch, date(2027, 12, 1))
    (state, detail) = findings(run("doctor", "--json"))["data"][0]
    assert (state, "`advisor check-data --max-age 180` lists them" in detail) == ("warning", True)


def on(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    """Let it be another day for the doctor."""
    monkeypatch.setattr("advisor.cli.doctor.today", lambda: day)


def test_the_doctor_holds_the_clock_against_the_rule_data(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for day, state in ((date(2020, 1, 1), "fault"), (date(2035, 1, 1), "warning"), (date.today() + timedelta(2), "ok")):  # noqa: DTZ011
        on(monkeypatch, day)
        assert findings(run("doctor", "--json"))["clock"][0][0] == state


@pytest.mark.parametrize(("seconds", "state"), [(0, "ok"), (10, "warning"), (-10, "warning"), (100, "fault")])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_doctor_holds_the_clock_against_the_database(
    run: Run, monkeypatch: pytest.MonkeyPatch, seconds: int, state: str
) -> None:
    monkeypatch.setattr("advisor.cli.doctor.now_ms", lambda: now_ms() + seconds * 1000)
    assert findings(run("doctor", "--json"))["clock"][1][0] == state


def test_the_doctor_asks_the_redis_of_the_limits(run: Run) -> None:
    assert findings(run("doctor", "--json", ADVISOR_RATE_LIMIT="off"))["limits"] == [("ok", "Rate limits are off.")]
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = findings(run("doctor", "--json", ADVISOR_RATE_LIMIT_STORAGE=f"redis://:secret@127.0.0.1:{port}/0"))
    assert (found["limits"][0][0], ":secret@" in str(found)) == ("fault", False)


def test_the_doctor_sees_work_that_nobody_does(run: Run, database: Database) -> None:
    now = now_ms()
    long_ago = now - 10 * 60_000
    batch = {
        "workspace_id": "w",
        "format": "csv",
        "program": "enterprise-mall",
        "as_of": date(2026, 11, 22),
        "constants": "{}",
        "digest": "",
        **dict.fromkeys(("size", "rows_done", "scored", "rejected", "token", "attempts", "lease_until"), 0),
    }
    with database.writing() as connection:
        connection.execute(insert(workspaces).values(id="w", name="Acme", created_at=now))
        connection.execute(insert(batches).values(batch | {"id": "new", "state": "queued", "created_at": now}))
    assert findings(run("doctor", "--json"))["worker"][0][0] == "ok"
    with database.writing() as connection:
        connection.execute(insert(batches).values(batch | {"id": "old", "state": "queued", "created_at": long_ago}))
    (state, detail) = findings(run("doctor", "--json"))["worker"][0]
    assert (state, detail.startswith("Batches that wait for more than 5 minutes: 1, and nobody")) == ("fault", True)
    with database.writing() as connection:
        running = {"id": "now", "state": "running", "created_at": long_ago, "lease_until": now + 600_000}
        connection.execute(insert(batches).values(batch | running))
    assert findings(run("doctor", "--json"))["worker"][0][0] == "warning"
    with database.writing() as connection:
        connection.execute(update(batches).values(state="done"))
        values = {"id": "e", "workspace_id": "w", "url": "https://a.example", "events": "[]", "secret_version": 1}
        connection.execute(insert(webhook_endpoints).values(values | {"created_at": now}))
        delivery = {"id": "d", "workspace_id": "w", "endpoint_id": "e", "event_id": "v", "event": "batch.finished"}
        delivery |= {"body": "{}", "state": "pending"}
        times = {"attempts": 0, "token": 0, "due_at": long_ago, "created_at": long_ago}
        connection.execute(insert(webhook_deliveries).values(delivery | times))
    (state, detail) = findings(run("doctor", "--json"))["worker"][0]
    assert (state, detail.startswith("Events that should have been sent")) == ("fault", True)


def test_the_module_is_the_command() -> None:
    shown = subprocess.run([sys.executable, "-m", "advisor", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("advisor, version ")
