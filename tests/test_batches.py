"""Batches over HTTP: a file is taken in whole or not at all, scored by a worker, and handed out."""

import base64
import hashlib
import shutil
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advisor.batch.running import Job, Terms, run_file
from advisor.batch.scoring import Accounts
from advisor.catalog import Catalog
from advisor.services import batches
from advisor.services.webhooks import announce
from advisor.settings import Settings
from advisor.store.database import Database
from advisor.worker import Worker

CSV = {"Content-Type": "text/csv"}
ACCOUNTS = (
    b"seller_id,marketplace,order_defect_rate_count,order_defect_rate_of,category,price\n"
    b"A1,US,3,1200,jewelry,300.00\n"
    b"A2,US,9,1200,jewelry,12.00\n"
    b"A3,UK,0,0,,\n"
    b"A4,XX,1,100,jewelry,5\n"
    b"A5,JP,1,900,,\n"
)
HERE = "/v1/batches?as_of=2026-11-22&set=selling_plan=professional"

Work = Callable[[], None]


@pytest.fixture
def work(settings: Settings, database: Database, catalog: Catalog) -> Work:
    """Score every batch that waits."""

    def run() -> None:
        worker = Worker(settings, database, catalog, announce, part_rows=2)
        while worker.score_next(Event()):
            pass

    return run


def send(workspace: Any, body: bytes = ACCOUNTS, path: str = HERE, **headers: str) -> Any:
    """Send a file; returns the answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return workspace.post(path, data=body, headers={**CSV, **named})


def refusal(answer: Any, status: int) -> str:
    """Check that it is a problem of this status; gives its first code."""
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    return str(answer.json["errors"][0]["code"]) if answer.json["errors"] else ""


def nothing_is_kept(workspace: Any, settings: Settings) -> bool:
    """Tell whether there is neither a batch nor a file."""
    files = [path for path in settings.files_dir.rglob("*") if path.is_file()]
    return not workspace.get("/v1/batches").json["items"] and not files


def test_a_file_is_scored_as_the_command_scores_it(
    workspace: Any, work: Work, catalog: Catalog, tmp_path: Path
) -> None:
    sent = send(workspace)
    assert (sent.status_code, sent.json["state"], sent.json["size"]) == (202, "queued", len(ACCOUNTS))
    place = sent.headers["Location"]
    assert workspace.get(f"{place}/results").status_code == 409
    work()
    done = workspace.get(place).json
    assert (done["state"], done["rows"], done["rows_done"], done["scored"], done["rejected"]) == ("done", 5, 5, 4, 1)
    source = tmp_path / "in.csv"
    source.write_bytes(ACCOUNTS)
    for one in ("csv", "ndjson", "parquet"):
        target = tmp_path / f"out.{one}"
        terms = Terms(date(2026, 11, 22), constants={"selling_plan": "professional"})
        run_file(Job(source, "csv", target, one), Accounts(catalog, "enterprise-mall", terms))
        got = workspace.download(f"{done['results']}?format={one}")
        assert got.headers["Content-Disposition"] == f"attachment; filename={done['id']}.{one}"
        if one == "parquet":
            theirs, ours = pq.read_table(target), pq.read_table(BytesIO(got.data))
            assert theirs.cast(ours.schema).equals(ours)
        else:
            assert got.data == target.read_bytes()
    assert workspace.download(done["results"], headers={"Accept": "application/x-ndjson"}).data.startswith(b"{")
    assert workspace.download(done["results"]).mimetype == "text/csv"
    assert workspace.download(done["rejects"]).data == (tmp_path / "out.parquet.rejects.csv").read_bytes()


def test_a_form_and_each_format_are_taken(workspace: Any, work: Work, tmp_path: Path) -> None:
    ndjson = b'{"seller_id": "A1", "marketplace": "US", "order_defect_rate": "0.001"}\n'
    form = {"file": (BytesIO(ndjson), "accounts.ndjson"), "as_of": "2026-11-22", "set": "selling_plan=professional"}
    sent = workspace.post("/v1/batches", data=form)
    assert (sent.status_code, sent.json["format"], sent.json["set"]) == (
        202,
        "ndjson",
        {"selling_plan": "professional"},
    )
    pq.write_table(
        pa.table({"seller_id": ["A1"], "marketplace": ["US"], "late_shipment_rate": ["0.01"]}), tmp_path / "a"
    )
    data = (tmp_path / "a").read_bytes()
    other = {"Content-Type": "application/octet-stream"}
    assert workspace.post("/v1/batches?format=parquet", data=data, headers=other).status_code == 202
    assert refusal(workspace.post("/v1/batches", data=data, headers=other), 422) == "missing"
    work()
    assert [one["state"] for one in workspace.get("/v1/batches").json["items"]] == ["done", "done"]
    assert [one["format"] for one in workspace.get("/v1/batches").json["items"]] == ["parquet", "ndjson"]


@pytest.mark.parametrize("header", ["Content-Digest", "Repr-Digest"])
def test_a_digest_is_checked(workspace: Any, settings: Settings, header: str) -> None:
    right = base64.b64encode(hashlib.sha256(ACCOUNTS).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"else").digest()).decode()
    for text in (f"sha-256=:{wrong}:", "sha-256=:no:", right, f"sha-256=:{right}:, sha-512=:{wrong}:"):
        assert refusal(send(workspace, **{header: text}), 400) == "body_mismatch"
    assert nothing_is_kept(workspace, settings)
    assert send(workspace, **{header: f"unknown=:AAAA:, sha-256=:{right}:"}).status_code == 202


def test_what_cannot_be_used_is_refused_at_once_and_nothing_is_kept(workspace: Any, settings: Settings) -> None:
    for body, status, code in (
        (b"seller_id,marketplace\n", 400, "no_rows"),
        (b"\x1f\x8b\x08" + bytes(100), 400, "not_csv"),
        (b"marketplace,order_defect_rate\nUS,0.1\n", 422, "missing"),
        (b"seller_id,marketplace,seller_id\nA,US,B\n", 422, "duplicate_name"),
    ):
        assert refusal(send(workspace, body), status) == code, body
    assert refusal(send(workspace, path=f"{HERE}&program=nope"), 422) == "unknown_program"
    assert refusal(send(workspace, path=f"{HERE}&colour=red"), 422) == "unknown_field"
    assert refusal(send(workspace, path=f"{HERE}&as_of=2026-11-23"), 422) == "duplicate_key"
    assert refusal(send(workspace, path="/v1/batches?set=oops"), 422) == "wrong_value"
    assert refusal(send(workspace, path=f"{HERE}&set=Selling_Plan=individual"), 422) == "duplicate_name"
    assert refusal(send(workspace, path=f"/v1/batches?set=note={'x' * 200}"), 422) == "wrong_length"
    assert refusal(send(workspace, path="/v1/batches?set=note=%00"), 422) == "nul_character"
    assert refusal(send(workspace, path="/v1/batches?set=colour=red"), 422) == "unknown_column"
    refusal(workspace.post(HERE, data=ACCOUNTS, headers={"Content-Type": "text/plain"}), 415)
    refusal(send(workspace, Content_Encoding="gzip"), 415)
    refusal(workspace.post(HERE, data={"file": "no file"}), 415)
    refused = workspace.post(HERE, data={"other": (BytesIO(ACCOUNTS), "a.csv")})
    assert refusal(refused, 422) == "missing"
    assert nothing_is_kept(workspace, settings)


def test_a_file_needs_a_length_and_room(workspace: Any, settings: Settings, set_up_with: Callable[..., Any]) -> None:
    chunked = {"wsgi.input_terminated": True, "wsgi.input": BytesIO(ACCOUNTS)}
    answer = workspace.post(HERE, headers={**CSV, "Transfer-Encoding": "chunked"}, environ_overrides=chunked)
    refusal(answer, 411)
    refusal(send(set_up_with(max_upload=100)), 413)
    refusal(send(set_up_with(free_space=2**60)), 507)
    assert nothing_is_kept(workspace, settings)


def test_the_same_file_with_a_key_is_one_batch(workspace: Any) -> None:
    first = send(workspace, Idempotency_Key="one")
    again = send(workspace, Idempotency_Key="one")
    assert (first.data, first.headers["Location"]) == (again.data, again.headers["Location"])
    assert refusal(send(workspace, ACCOUNTS + b"A6,US,1,2,,\n", Idempotency_Key="one"), 422) == "key_reused"
    assert len(workspace.get("/v1/batches").json["items"]) == 1


def test_a_key_stands_for_the_file_and_all_that_is_wanted_of_it(workspace: Any) -> None:
    """The same file to be judged otherwise is another request: nobody is told that it was judged as before."""

    def send_form(name: str = "accounts.csv", **fields: str) -> Any:
        form = {"file": (BytesIO(ACCOUNTS), name), "set": "selling_plan=professional", **fields}
        return workspace.post("/v1/batches", data=form, headers={"Idempotency-Key": "one"})

    first = send_form(program="enterprise-mall")
    assert first.status_code == 202
    assert send_form(program="enterprise-mall").data == first.data
    assert refusal(send_form(program="account-health-seller-fulfilled"), 422) == "key_reused"
    assert refusal(send_form(), 422) == "key_reused"
    assert refusal(send_form(program="enterprise-mall", marketplace="US"), 422) == "key_reused"
    ndjson = workspace.post(
        "/v1/batches",
        data={"file": (BytesIO(b'{"seller_id": "A", "marketplace": "US"}\n'), "a.ndjson")},
        headers={"Idempotency-Key": "two"},
    )
    assert ndjson.status_code == 202
    assert len(workspace.get("/v1/batches").json["items"]) == 2


@pytest.mark.parametrize("limit", ["000000001999", "0000000019999999999999999999999", "1" * 5000, "0", "201", "+5"])
def test_a_page_has_as_many_entries_as_are_allowed(workspace: Any, limit: str) -> None:
    assert refusal(workspace.get("/v1/batches", query_string={"limit": limit}), 422) == "out_of_range"


def test_results_whose_file_is_gone_are_not_found(workspace: Any, work: Work, settings: Settings) -> None:
    batch = send(workspace).json["id"]
    work()
    for path in batches.folder(settings.files_dir, batch).iterdir():
        path.unlink()
    refusal(workspace.get(f"/v1/batches/{batch}/results"), 404)
    refusal(workspace.get(f"/v1/batches/{batch}/rejects"), 404)


def test_a_form_needs_room_for_itself_and_for_its_file(
    workspace: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both lie there while the file is taken out of it."""
    body = ACCOUNTS + b"A,US\n" * 10_000
    monkeypatch.setattr("advisor.store.disk.free", lambda place: len(body) * 3 // 2)
    assert send(workspace, body).status_code == 202
    form = {"file": (BytesIO(body), "accounts.csv")}
    assert workspace.post("/v1/batches", data=form).status_code == 507


def test_a_part_that_a_file_does_not_have_is_refused_with_its_length(workspace: Any, work: Work) -> None:
    place = send(workspace).headers["Location"]
    work()
    length = len(workspace.download(f"{place}/results").data)
    refused = workspace.get(f"{place}/results", headers={"Range": f"bytes={length}-"})
    assert (refused.status_code, refused.headers["Content-Range"]) == (416, f"bytes */{length}")
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_two_may_sweep_at_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (settings.files_dir / f"batches/bat_{number}").mkdir(parents=True)
    found = list((settings.files_dir / "batches").iterdir())
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(found))
    shutil.rmtree(found[1])
    assert batches.sweep(settings.files_dir, {}, before=2**40) == 4
    assert not any(path.exists() for path in found)


def test_a_deleted_batch_is_gone_with_its_files(workspace: Any, work: Work, settings: Settings) -> None:
    place = send(workspace).headers["Location"]
    work()
    assert workspace.delete(place).status_code == 204
    assert workspace.get(place).status_code == 404
    assert workspace.delete(place).status_code == 404
    assert nothing_is_kept(workspace, settings)


def test_a_file_that_turns_out_to_be_unusable_fails_with_the_reason(workspace: Any, work: Work) -> None:
    body = b"seller_id,marketplace,category\nA1,JP,jewelry\nA2,JP,jewelry\n"
    place = send(workspace, body, "/v1/batches?set=price=9.50").headers["Location"]  # yen have no decimals
    work()
    failed = workspace.get(place).json
    assert (failed["state"], failed["results"]) == ("failed", None)
    assert failed["problem"]["code"] == "not_usable"
    assert [one["pointer"] for one in failed["problem"]["errors"]] == ["price"]
    assert refusal(workspace.get(f"{place}/results"), 409) == "not_finished"


@pytest.mark.parametrize(
    ("constant", "code", "said"),
    [
        ("selling_plan=pro", "not_allowed", "selling_plan cannot be set like this. Allowed are professional, individ"),
        ("Selling_Plan=gold", "not_allowed", "Selling_Plan cannot be set"),
        ("late_shipment_rate_30d=2", "out_of_range", "1 is 100 %."),
        ("late_shipment_rate_30d=.5%", "not_a_decimal", ".5% is written 0.5%."),
        ("units=0", "out_of_range", "units cannot be set like this. This may be from 1 to 1000000."),
        ("unit_cost=a lot", "not_a_decimal", "unit_cost cannot be set like this. An amount has digits"),
        ("tracking_on_every_package=maybe", "not_true_or_false", "This has to be true, false, yes or no."),
        ("established_in=Germany", "not_a_country", "A country is two letters"),
        ("price=5", "duplicate_name", "price cannot be set like this. The file has this column already"),
        ("colour=red", "unknown_column", "colour cannot be set like this. No column of this name is read here"),
    ],
)
def test_a_constant_that_no_row_can_use_is_refused_at_once(workspace: Any, constant: str, code: str, said: str) -> None:
    answer = workspace.post("/v1/batches", query_string={"set": constant}, data=ACCOUNTS, headers=CSV)
    assert refusal(answer, 422) == code
    (error,) = answer.json["errors"]
    assert error["pointer"] == "?set"
    assert said in error["detail"]


@pytest.mark.parametrize("constant", ["unit_cost=9.50", "unit_cost=100", "fulfillment=seller_prime", "refund_rate=2%"])
def test_a_constant_that_some_row_may_use_is_taken(workspace: Any, constant: str) -> None:
    sent = workspace.post("/v1/batches", query_string={"set": constant}, data=ACCOUNTS, headers=CSV)
    assert sent.status_code == 202, sent.text


def test_a_batch_names_the_columns_that_are_not_read(workspace: Any, work: Work) -> None:
    header = b"seller_id,marketplace,note,order_defect_rate,policy_violations_count,Refund_Rate,price_list\n"
    body = header + b"A1,US,x,0.1,1,0,\n"
    sent = send(workspace, body, "/v1/batches?as_of=2026-11-22&set=selling_plan=professional")
    assert (sent.status_code, sent.json["passed_through"], sent.json["unused"]) == (202, None, None), sent.text
    work()
    done = workspace.get(sent.headers["Location"]).json
    assert (done["state"], done["passed_through"]) == ("done", ["note", "policy_violations_count", "price_list"])
    assert done["unused"] == ["Refund_Rate"]


@pytest.mark.parametrize("name", ["accounts.xlsx", "ACCOUNTS.XLS", "a.ods"])
def test_a_workbook_is_told_how_to_become_a_file_of_accounts(workspace: Any, name: str) -> None:
    answer = workspace.post("/v1/batches", data={"file": (BytesIO(b"PK\x03\x04 and so on"), name)})
    assert refusal(answer, 422) == "not_allowed"
    (error,) = answer.json["errors"]
    assert error["detail"] == "This file is a workbook. Save the sheet as “CSV UTF-8”, and send that file."


def test_files_of_nobody_are_swept_when_they_are_old(settings: Settings) -> None:
    for name in ("batches/bat_1", "batches/bat_2", "incoming/bat_3"):
        (settings.files_dir / name).mkdir(parents=True)
    assert batches.sweep(settings.files_dir, {"bat_2"}, before=0) == 0
    assert batches.sweep(settings.files_dir, {"bat_2"}, before=2**40) == 2
    assert [path.name for path in (settings.files_dir / "batches").iterdir()] == ["bat_2"]
