"""What every page shares: the reader's language, the frame it stands in, its headers, and how it is rendered."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Response, current_app, render_template, request

from advisor.messages import Messages, available_locales, messages_in
from advisor.web.api import reader

ASSETS = Path(__file__).parent.parent / "assets"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
THEMES = ("auto", "light", "dark")
VIEWS = ("guided", "compact", "fees")
EMITS = ("none", "summary", "full")
SHELL = "advisor.shell"  # where the frame that a request stands in is noted, for problems
# The query parameters that a page takes along to the next one. None of them is a seller's number.
KEPT = ("key", "view", "locale", "theme", "marketplace", "emit", "origin")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
)


@dataclass(frozen=True, slots=True)
class Shell:
    """Where a page is shown: in a frame of somebody's site, which `origins` may have, or on its own.

    `host` is the origin of that site, where it is one of those, and `emit` what it may learn of a result.
    """

    framed: bool = False
    origins: tuple[str, ...] = ()
    host: str = ""
    emit: str = EMITS[0]

    @property
    def ancestors(self) -> str:
        """Who may frame the page, as a content security policy has it."""
        return " ".join(self.origins) or "'none'"

    def headers(self) -> dict[str, str]:
        """Give the headers of a page: nothing from elsewhere, nothing kept, framed by nobody else."""
        return {
            "Content-Security-Policy": POLICY.format(ancestors=self.ancestors),
            "Content-Language": language().tag,
            "Referrer-Policy": "no-referrer" if self.framed else "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            "Vary": "Accept-Language",
        }


ALONE = Shell()


def choose_language() -> None:
    """Let the query's `locale` stand for Accept-Language: everything that is said to this request follows it."""
    if "locale=" not in request.environ.get("QUERY_STRING", ""):  # most requests; the API reads its query only once
        return
    wanted = request.args.get("locale", "")
    if wanted and wanted.isascii():
        request.environ["HTTP_ACCEPT_LANGUAGE"] = f"{wanted}, {request.environ.get('HTTP_ACCEPT_LANGUAGE', '')}"


def language() -> Messages:
    """Give the language of this request."""
    return reader()


def one_of(name: str, allowed: tuple[str, ...]) -> str:
    """Read a query parameter that is one of some words; anything else is the first of them."""
    given = request.args.get(name, "")
    return given if given in allowed else allowed[0]


def kept(**changed: str | None) -> str:
    """Write the query that goes along to the next page, with its question mark, or nothing."""
    values = {name: request.args[name] for name in KEPT if request.args.get(name)}
    if not values.get("key", "pk_").startswith("pk_"):
        del values["key"]  # a secret that somebody typed in the wrong place goes no further
    values |= {name: value for name, value in changed.items() if value is not None}
    dropped = {name for name, value in changed.items() if value is None}
    query = urlencode({name: value for name, value in values.items() if name not in dropped})
    return f"?{query}" if query else ""


@cache
def asset(name: str) -> str:
    """Give the address of an asset: it changes with its content, so that it can be kept for ever."""
    digest = hashlib.sha256((ASSETS / name).read_bytes()).hexdigest()[:12]
    return f"/assets/{digest}/{name}"


def languages() -> list[tuple[str, str]]:
    """List the languages there are: tag, and what it calls itself."""
    found = []
    for name in available_locales():
        messages = messages_in(name)
        found.append((messages.tag, str(messages.locale.get_display_name(messages.locale)).capitalize()))
    return found


def page(template: str, shell: Shell = ALONE, status: int = 200, **values: Any) -> Response:
    """Render a page in the reader's language."""
    messages = language()
    body = render_template(
        template,
        shell=shell,
        messages=messages,
        theme=one_of("theme", THEMES),
        kept=kept,
        asset=asset,
        languages=languages(),
        **values,
    )
    return Response(body, status, content_type="text/html; charset=utf-8", headers=shell.headers())


def say(message: str, **values: object) -> str:
    """Say a message of a template in the reader's language."""
    return language().text(message, values)


def asset_response(digest: str, name: str) -> Response | None:
    """Serve an asset; None where there is none of that name."""
    path = ASSETS / name
    if name not in {one.name for one in ASSETS.iterdir()}:
        return None
    response = Response(path.read_bytes(), content_type=f"{KINDS[path.suffix]}; charset=utf-8")
    fresh = asset(name).split("/")[2] == digest
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if fresh else "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def is_from_elsewhere() -> bool:
    """Tell whether a form was sent by a page of another site. Browsers say so; who says nothing is no browser."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and origin != "null" and origin != request.host_url.rstrip("/")


def as_page(response: Response) -> Response:
    """Show a problem as a page to whoever asked for a page."""
    if response.status_code < 400 or response.mimetype != "application/problem+json" or not _wants_page():
        return response
    problem: Mapping[str, Any] = response.get_json()
    shown = page("error.html", request.environ.get(SHELL, ALONE), response.status_code, problem=problem)
    for name in ("Retry-After", "Allow", "RateLimit", "RateLimit-Policy"):
        if name in response.headers:
            shown.headers[name] = response.headers[name]
    return shown


def _wants_page() -> bool:
    if request.blueprint == "api" or request.path.startswith("/v1"):
        return False
    best = request.accept_mimetypes.best_match(["application/problem+json", "text/html"])
    return bool(best == "text/html")


def set_up_templates() -> None:
    """Give the templates their word for messages."""
    current_app.jinja_env.globals["say"] = say
