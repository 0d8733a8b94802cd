"""Results that are shared by a link: kept as they were, for whoever has the link, until they expire or are deleted."""

import html
import re
import time
import zlib

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from advisor.services import sharing
from advisor.store.database import Database
from advisor.store.tables import shared_results
from advisor.web.pages.form import EXAMPLE

LINK = re.compile(r'href="http://localhost(/shared/[^"/]+)"')
DELETE = re.compile(r'href="http://localhost(/shared/[^"/]+/delete/[^"/]+)"')


def share(client: FlaskClient, query: str = "?view=compact") -> tuple[str, str]:
    response = client.post(f"/{query}", data={**EXAMPLE, "go": "share"})
    assert response.status_code == 201, response.text
    link, delete = LINK.search(response.text), DELETE.search(response.text)
    assert link
    assert delete
    return link[1], delete[1]


def test_a_shared_result_is_what_was_shown(stored_app: Flask) -> None:
    client = stored_app.test_client()
    shown = client.post("/?view=compact", data={**EXAMPLE, "go": "result"}).text
    link, _ = share(client)
    page = client.get(link)
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    for part in ("findings", "money", "unchecked"):
        section = re.compile(rf'<section aria-labelledby="{part}">.*?</section>', re.DOTALL)
        before, after = section.search(shown), section.search(page.text)
        assert before
        assert after
        assert before[0] == after[0]


def test_it_stays_in_its_language(stored_app: Flask) -> None:
    client = stored_app.test_client()
    link, _ = share(client, "?view=compact&locale=zh-Hans")
    assert '<html lang="zh-Hans"' in client.get(link, headers={"Accept-Language": "en"}).text


def test_it_is_deleted_for_good_by_the_second_link_alone(stored_app: Flask, database: Database) -> None:
    client = stored_app.test_client()
    link, delete = share(client)
    wrong = delete[:-1] + ("0" if delete[-1] != "0" else "1")
    assert client.post(wrong).status_code == 404
    assert client.get(link).status_code == 200
    asked = client.get(delete)
    assert "Delete this shared result?" in html.unescape(asked.text)
    assert client.get(link).status_code == 200  # looking deletes nothing
    assert client.post(delete).status_code == 200
    assert client.get(link).status_code == 404
    with database.reading() as connection:
        assert connection.execute(select(shared_results)).all() == []
    assert client.post(delete).status_code == 200  # again changes nothing


def test_it_expires(stored_app: Flask, database: Database) -> None:
    client = stored_app.test_client()
    link, _ = share(client)
    with database.writing() as connection:
        connection.execute(update(shared_results).values(expires_at=int(time.time() * 1000)))
    assert client.get(link).status_code == 404
    with database.writing() as connection:
        assert sharing.purge(connection) == 1
        assert sharing.purge(connection) == 0


def test_the_link_is_not_stored_and_cannot_be_guessed(stored_app: Flask, database: Database) -> None:
    client = stored_app.test_client()
    links = {share(client)[0].rpartition("/")[2] for _ in range(5)}
    assert len(links) == 5
    with database.reading() as connection:
        stored = {row.digest for row in connection.execute(select(shared_results))}
    assert not links & stored
    assert all(len(link) == 24 for link in links)


@pytest.mark.parametrize("link", ["x", "%00", "a" * 5000, "..%2f..", "中"])
def test_links_that_lead_nowhere(stored_app: Flask, link: str) -> None:
    response = stored_app.test_client().get(f"/shared/{link}", headers={"Accept": "text/html"})
    assert (response.status_code, response.mimetype) == (404, "text/html")


def test_asking_for_the_head_of_the_page_deletes_nothing(stored_app: Flask) -> None:
    client = stored_app.test_client()
    link, delete = share(client)
    assert client.head(delete).status_code == 200
    assert client.get(link).status_code == 200


def test_a_criterion_that_the_rules_do_not_have_any_more_is_shown_by_its_sentence(
    stored_app: Flask, database: Database
) -> None:
    client = stored_app.test_client()
    link, _ = share(client)
    with database.writing() as connection:
        (row,) = connection.execute(select(shared_results)).all()
        document = orjson.loads(zlib.decompress(row.answer))
        finding = document["answer"]["assessment"]["assessments"][0]["findings"][1]
        finding["criterion"] = "gone-by-now"
        connection.execute(update(shared_results).values(answer=zlib.compress(orjson.dumps(document))))
    page = client.get(link)
    assert page.status_code == 200
    assert finding["message"] in html.unescape(page.text)
