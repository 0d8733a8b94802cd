"""The fault run in short, and what it strikes too seldom: `make faults` is the long form."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from advisor.catalog import Catalog
from advisor.services import batches
from advisor.services.webhooks import announce
from advisor.settings import Settings
from advisor.store.database import Database
from advisor.worker import Worker, _work_folder

PROGRAM = Path(__file__).with_name("faults.py")
ACCOUNTS = "seller_id,marketplace\nA1,US\nA2,US\n"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_row_is_lost_or_doubled_by_kills_freezes_and_restarts(kind: str) -> None:
    command = [sys.executable, str(PROGRAM), "--database", kind, "--kills", "6", "--minutes", "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost, 0 doubled" in done.stdout


def test_what_is_left_of_a_worker_that_died_after_its_last_commit_is_swept(
    workspace: Any, settings: Settings, database: Database, catalog: Catalog
) -> None:
    sent = workspace.post("/v1/batches?as_of=2026-11-22", data=ACCOUNTS, headers={"Content-Type": "text/csv"})
    place = batches.folder(settings.files_dir, sent.json["id"])
    worker = Worker(settings, database, catalog, announce)
    with database.writing() as connection:
        held = batches.claim(connection, "dies", 1000, announce)
    assert held is not None
    for name in ("work-1", "part-0-1"):
        (place / name).mkdir()
    worker.sweep()
    assert sorted(path.name for path in place.iterdir()) == ["input", "part-0-1", "work-1"]
    (place / "scored.csv").touch()
    with database.writing() as connection:
        batches.finish(connection, held, announce)
    worker.sweep()
    assert [path.name for path in place.iterdir()] == ["scored.csv"]


def test_who_slept_since_its_claim_leaves_the_folder_of_a_later_claim_alone(tmp_path: Path) -> None:
    for token in (1, 3):
        (tmp_path / f"work-{token}").mkdir()
    with _work_folder(tmp_path, 2):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["work-2", "work-3"]
    assert [path.name for path in tmp_path.iterdir()] == ["work-3"]
