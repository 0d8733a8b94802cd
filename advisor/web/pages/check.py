"""Check an account: the form in short pages or on one, and the result.

The state of a form is the form: what was typed on other pages travels in hidden fields, is read anew by every page, and
is kept nowhere. So there is nothing to sign, and nothing that a cookie would guard.
"""

import csv
import io
import json
from typing import Any

from flask import Blueprint, Response, request

from advisor import strict_json
from advisor.answers.parts import dumps
from advisor.batch import FORMULA
from advisor.catalog import Catalog
from advisor.domain.program import MARKETPLACES
from advisor.errors import InvalidInput, UnreadableInput
from advisor.messages import CHOICES, OUTCOME_NAMES, PLACES, VERDICT_NAMES
from advisor.services.calculations import Services, today
from advisor.services.journey import Journey
from advisor.services.sharing import KEPT_DAYS
from advisor.web.pages.embed import framing
from advisor.web.pages.form import ACCOUNT, COUNTRIES, DISCOUNTS, EXAMPLE, NUMBERS, PRICES, SCENARIOS, STEPS, Form
from advisor.web.pages.result import WORDS, Result, compare
from advisor.web.pages.shared import keep
from advisor.web.pages.shell import ALONE, VIEWS, Shell, language, one_of, page, say
from advisor.web.stored import Workspaces

WAS = "was"  # the field that holds the numbers before a what-if
NOT_TYPED = ("go", "step", WAS)


def add(pages: Blueprint, services: Services, catalog: Catalog, workspaces: Workspaces) -> None:
    """Add the page and the frame: the same form, in two places."""

    @pages.route("/", methods=["GET", "POST"])
    def start() -> Response:
        """Show the form, and its result."""
        return _Visit(services, catalog, workspaces, ALONE).answer()

    @pages.route("/embed", methods=["GET", "POST"])
    def frame() -> Response:
        """Show the form in a frame."""
        return _Visit(services, catalog, workspaces, framing(workspaces)).answer()


class _Visit:
    """One request for the form, in one place."""

    def __init__(self, services: Services, catalog: Catalog, workspaces: Workspaces, shell: Shell) -> None:
        self.services = services
        self.catalog = catalog
        self.workspaces = workspaces
        self.shell = shell
        self.messages = language()
        self.view = one_of("view", VIEWS)
        request.max_content_length = request.max_form_memory_size = workspaces.settings.max_body
        typed = {name: values[0] for name, values in request.form.lists()}
        self.go, self.step, self.was = (typed.pop(name, "") for name in NOT_TYPED)
        if request.method != "POST":
            typed = {"marketplace": request.args.get("marketplace", "").upper()}
        self.typed = typed
        self.form = self._form(typed)

    def _form(self, typed: dict[str, str]) -> Form:
        return Form(self.catalog, typed, today(), self.messages)

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that a page of this view shows at once, first to last."""
        return {"guided": (), "compact": STEPS, "fees": (ACCOUNT, PRICES)}[self.view]

    def answer(self) -> Response:
        """Do what the button says."""
        word, _, what = self.go.partition(":")
        if request.method != "POST":
            return self._ask(ACCOUNT)
        if word == "example":
            self.form = self._form(dict(EXAMPLE))
            return self._ask(ACCOUNT)
        if word == "next":
            return self._next()
        if word == "back":
            return self._ask(STEPS[max(STEPS.index(self._here) - 1, 0)])
        if word == "change":
            return self._ask(self.form.step_of(what), at=what)
        begun = self.form.press(self.go)
        if begun is not None:
            return self._ask(PRICES, at=begun)
        if word in ("result", "json", "csv", "share", "what_if"):
            return self._result(word)
        return self._ask(self._here)

    @property
    def _here(self) -> str:
        return self.step if self.step in STEPS else ACCOUNT

    def _next(self) -> Response:
        """Go on to the next page, if what was asked so far can be read."""
        here = STEPS.index(self._here)
        self.form.read(STEPS[: here + 1])
        wrong = self.form.first_wrong_step
        return self._ask(wrong or STEPS[min(here + 1, len(STEPS) - 1)], status=422 if wrong else 200)

    def _ask(self, step: str, at: str = "", status: int = 200) -> Response:
        steps = self.steps or (step,)
        self.form.look_at(steps)
        return page(
            "form.html",
            self.shell,
            status,
            section="check",
            stay="stay",
            form=self.form,
            view=self.view,
            step=step,
            steps=steps,
            at=at,
            places=[(place, say(PLACES[place])) for place in MARKETPLACES],
            countries=[(place, say(PLACES[place])) for place in COUNTRIES],
            programs=[(name, say(self.catalog.program(name).title)) for name in self.catalog.program_ids],
            summary=say(self.form.program.summary),
            choices=CHOICES,
            all_steps=STEPS,
            scenarios=SCENARIOS,
            discounts=DISCOUNTS,
            numbers=NUMBERS,
            prices=PRICES,
            account=ACCOUNT,
        )

    def _document(self, form: Form) -> dict[str, Any] | None:
        """Ask the service what the form asks; None where the form is wrong."""
        body = form.read(self.steps or STEPS)
        if self.view == "fees" and not body["lines"]:
            form.want_product()
        if form.errors:
            return None
        try:
            checked = self.services.checked(body, self.messages)
            if self.view != "fees":
                account = {name: body[name] for name in ("marketplace", "as_of", "facts", "metrics")}
                checked["reach"] = Journey(self.catalog).reach(account, self.messages)
        except InvalidInput as error:
            form.refuse_all(error.problems)
            return None
        return {"view": self.view, "locale": self.messages.tag, "body": body, **checked}

    def _result(self, what: str) -> Response:
        original = self._original() if what == "what_if" else None
        document = self._document(self.form)
        if document is None and original is not None:
            before = self._document(original)
            if before is not None:
                return self._show(original, Result(before, self.catalog, self.messages), self.form)
        if document is None:
            return self._ask(self.form.first_wrong_step or ACCOUNT, status=422)
        if what == "json":
            return _download(dumps(document["answer"]), "application/json", "assessment.json")
        result = Result(document, self.catalog, self.messages)
        if what == "csv":
            return _download(table(result).encode("utf-8-sig"), "text/csv; charset=utf-8", "assessment.csv")
        if what == "share":
            return keep(self.workspaces, document, self.shell)
        return self._show(self.form, result, self.form, original)

    def _show(self, form: Form, result: Result, play: Form, original: Form | None = None) -> Response:
        """Show a result; `play` is what the what-if holds, and `original` what it began with."""
        typed = {name: value for name, value in form.typed.items() if value}
        before = original.typed if original else typed
        return page(
            "result.html",
            self.shell,
            422 if play.errors else 200,
            section="check",
            stay="result",
            form=form,
            play=play,
            view=self.view,
            result=result,
            typed=typed,
            original=before,
            original_json=json.dumps(before),
            changes=self._changes(original, result) if original else None,
            result_data=self._told(result),
            kept_days=KEPT_DAYS,
            **WORDS,
        )

    def _told(self, result: Result) -> dict[str, Any]:
        """Say what the frame may tell its host: nothing, a summary, or the whole answer."""
        emit = one_of("emit", ("none", "summary", "full"))
        if not self.shell.framed or emit == "none":
            return {}
        told = {
            "result_id": None,
            "verdict": result.verdict,
            "program": result.program.id,
            "marketplace": result.answer["marketplace"],
        }
        return told if emit == "summary" else {**told, "answer": result.answer}

    def _original(self) -> Form | None:
        """Read the numbers before a what-if; None where there are none, or where they were tampered with."""
        try:
            typed = strict_json.loads(self.was.encode())
        except (UnreadableInput, InvalidInput):
            return None
        if not isinstance(typed, dict) or not all(isinstance(one, str) for one in typed.values()):
            return None
        return self._form(typed)

    def _changes(self, original: Form, result: Result) -> list[Any] | None:
        document = self._document(original)
        if document is None:
            return None
        names = {code: say(name) for code, name in VERDICT_NAMES.items()}
        words = {"verdict": say("Verdict"), "score": say("Score"), "unknown": say("unknown")}
        return compare(Result(document, self.catalog, self.messages), result, names, words)


def _download(body: bytes, content_type: str, name: str) -> Response:
    response = Response(body, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def table(result: Result) -> str:
    """Write a result as CSV: a row for each finding, then a row for each part of each product's sale."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        [say("Item"), say("Outcome"), say("Value"), say("Bar"), say("Room left"), say("Explanation"), say("Sources")]
    )
    for one in result.findings:
        finding = one.finding
        sources = " ".join(source["url"] or source["title"] for source in finding["sources"])
        outcome = say(OUTCOME_NAMES[finding["outcome"]])
        writer.writerow(
            map(_harmless, (one.label, outcome, one.observed, one.bar, one.room, finding["message"], sources))
        )
    for index, line in enumerate(result.lines):
        for _, label, amount, _ in result.parts(index):
            name = f"{result.category(line['category'])}: {label}"
            writer.writerow(map(_harmless, (name, "", amount, "", "", "", "")))
    return out.getvalue()


def _harmless(cell: str | None) -> str:
    """Keep a spreadsheet from taking a text for a formula; amounts may be negative."""
    text = cell or ""
    is_number = text.lstrip("-").replace(".", "", 1).isdigit()
    return "'" + text if text.startswith(FORMULA) and not is_number else text
