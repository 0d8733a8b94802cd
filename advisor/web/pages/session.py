"""Signing in with a workspace key: a cookie for the pages of the portfolio only, which says whose key was shown.

The cookie holds no key. It states a key's id and when that was, and is signed; whether the key is still good, and what
it may do, is looked up at every request.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, request
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import Connection

from advisor.errors import Forbidden, Sentence, Unauthenticated, say
from advisor.services import keys
from advisor.services.keys import Caller
from advisor.web.pages.shell import language, page
from advisor.web.pages.standing import day_of
from advisor.web.stored import Workspaces, check_ids

PATH = "/portfolio"
COOKIE = "advisor_portfolio"
SECONDS = 8 * 60 * 60
READING = ("sellers:read", "batches:read")
LARGEST_FORM = 64 * 1024
# Query parameters of how a page is shown, which go along from page to page.
SHOWN = ("locale", "theme")
# Where one may go after signing in: a page of the portfolio, and nothing that a browser could read as another site.
_PAGE = re.compile(rf"{PATH}(?:/[A-Za-z0-9._~-]+)*(?:\?[A-Za-z0-9._~%=&+-]*)?", re.ASCII)

NO_KEY_TYPED = say("Enter a key of your workspace. It begins with sk_.")
PUBLISHABLE = say(
    "This is a publishable key, and it opens no stored data. Sign in with a secret key, which begins with sk_."
)
NO_SUCH_KEY = say(
    "This key opens nothing here. Check that all of it was copied, or have a new one made: advisor keys create."
)
READS_NOTHING = say(
    "This key may read neither sellers nor files of accounts. Sign in with one that has the scope sellers:read or "
    "batches:read."
)

View = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the portfolio: the caller, and the name of the workspace."""

    caller: Caller
    workspace: str

    def may(self, scope: str) -> bool:
        """Tell whether the key has a scope."""
        return scope in self.caller.scopes


class Portfolio:
    """The pages behind the sign-in: each names the scope that it needs, and is one transaction."""

    def __init__(self, pages: Blueprint, workspaces: Workspaces) -> None:
        self.pages = pages
        self.workspaces = workspaces

    @cached_property
    def _signer(self) -> URLSafeTimedSerializer:
        """Signs what the cookie says, with a key of its own that rests on the advisor's secret."""
        how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return URLSafeTimedSerializer(self.workspaces.secret, salt="portfolio session", signer_kwargs=how)

    def route(self, method: str, path: str, scope: str) -> Callable[[View], View]:
        """Add a page: the view takes the connection, the visitor and what the path names."""

        def decorate(view: View) -> View:
            def answer(**named: str) -> Response:
                check_ids(named)
                database = self.workspaces.database
                transaction = database.reading if method == "GET" else database.writing
                with transaction() as connection:
                    return view(connection, self._visitor(connection, scope), **named)

            return self._add(method, path, view, answer)

        return decorate

    def upload(self, path: str, scope: str) -> Callable[[View], View]:
        """Add a page that takes a file: the view takes the visitor, and reads and stores by itself."""

        def decorate(view: View) -> View:
            def answer() -> Response:
                with self.workspaces.database.reading() as connection:
                    visitor = self._visitor(connection, scope)
                return view(visitor)

            return self._add("POST", path, view, answer)

        return decorate

    def _add(self, method: str, path: str, view: View, answer: View) -> View:
        def guarded(**named: str) -> Response:
            try:
                response = answer(**named)
            except Unauthenticated:
                return self._to_sign_in()
            except Forbidden as error:
                return show("forbidden.html", None, 403, why=error.detail)
            self.workspaces.note_use()
            return response

        self.pages.add_url_rule(f"{PATH}{path}", view.__name__, guarded, methods=[method])
        return view

    def _visitor(self, connection: Connection, scope: str) -> Visitor:
        caller = self.signed_in(connection)
        caller.require(scope)
        return Visitor(caller, keys.workspace_name(connection, caller.workspace))

    def signed_in(self, connection: Connection) -> Caller:
        """Say who signed in, if the cookie is ours and young enough, and its key still good. Raises Unauthenticated."""
        try:
            key_id = self._signer.loads(request.cookies.get(COOKIE, ""), max_age=SECONDS)
        except BadData:
            raise Unauthenticated from None
        if not isinstance(key_id, str):
            raise Unauthenticated
        return self.workspaces.admitted(*keys.of_id(connection, key_id))

    def _to_sign_in(self) -> Response:
        came_for = request.full_path.rstrip("?") if request.method == "GET" else PATH
        ended = "yes" if COOKIE in request.cookies else None
        return see(link(f"{PATH}/sign-in", to=came_for if _is_page(came_for) else None, ended=ended))

    def sign_in(self, key: str) -> Response:
        """Set the cookie for whoever shows a good key, and go on to what they came for. Raises Refused."""
        if not key:
            raise Refused(NO_KEY_TYPED)
        if key.startswith("pk_"):
            raise Refused(PUBLISHABLE)
        if not keys.is_well_formed(key):
            raise Refused(NO_SUCH_KEY)
        try:
            with self.workspaces.database.reading() as connection:
                caller = self.workspaces.admitted(*keys.find(connection, self.workspaces.secret, key))
        except Unauthenticated:
            raise Refused(NO_SUCH_KEY) from None
        readable = [scope for scope in READING if scope in caller.scopes]
        if not readable:
            raise Refused(READS_NOTHING)
        self.workspaces.note_use()
        to = request.form.get("to", "")
        usual = link(PATH if READING[0] in readable else f"{PATH}/batches")
        response = see(to if _is_page(to) else usual)
        response.set_cookie(COOKIE, str(self._signer.dumps(caller.key)), max_age=SECONDS, **_attributes())
        return response


class Refused(Exception):
    """The key that was typed does not sign anybody in; the sentence says why."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def add(portfolio: Portfolio) -> None:
    """Add signing in and out."""

    @portfolio.pages.get(f"{PATH}/sign-in")
    def sign_in() -> Response:
        """Ask for a key."""
        try:
            with portfolio.workspaces.database.reading() as connection:
                portfolio.signed_in(connection)
        except Unauthenticated:
            return _form()
        return see(link(PATH))

    @portfolio.pages.post(f"{PATH}/sign-in")
    def signs_in() -> Response:
        """Check the key."""
        request.max_content_length = LARGEST_FORM
        try:
            return portfolio.sign_in(request.form.get("key", "").strip())
        except Refused as refused:
            return _form(refused.sentence)

    @portfolio.pages.post(f"{PATH}/sign-out")
    def sign_out() -> Response:
        """Forget who signed in."""
        response = see(link(f"{PATH}/sign-in", said="signed-out"))
        response.delete_cookie(COOKIE, **_attributes())
        return response


def _form(error: Sentence | None = None) -> Response:
    """Show the form; what was typed is not shown again, since it may be a key."""
    to = request.form.get("to", "") or request.args.get("to", "")
    return show(
        "sign-in.html",
        None,
        422 if error else 200,
        to=to if _is_page(to) else "",
        error=language().say(error) if error else None,
        ended="ended" in request.args and error is None,
    )


def link(path: str, /, **query: str | None) -> str:
    """Write the address of a page of the portfolio, in the language and theme of this one."""
    shown = {name: request.args[name] for name in SHOWN if request.args.get(name)}
    values = {name: value for name, value in (shown | query).items() if value}
    return quote(path, safe="/~") + (f"?{urlencode(values)}" if values else "")


def here(**query: str | None) -> str:
    """Write the address of this page, or of the one that its form is on, with some of its query changed."""
    return link(request.path, **{**request.args.to_dict(), **query})


def show(template: str, visitor: Visitor | None, status: int = 200, **values: Any) -> Response:
    """Render a page of the portfolio."""
    values |= {"section": "portfolio", "link": link, "here": here, "visitor": visitor, "said": request.args.get("said")}
    values["day"] = lambda text: day_of(text, language())
    return page(f"portfolio/{template}", status=status, **values)


def see(address: str) -> Response:
    """Send the browser on to another page of ours, with a GET."""
    return Response(status=303, headers={"Location": address})


def _is_page(address: str) -> bool:
    path = address.partition("?")[0]
    dotted = any(part in (".", "..") for part in path.split("/"))
    return _PAGE.fullmatch(address) is not None and not dotted and not path.startswith((f"{PATH}/sign-",))


def _attributes() -> dict[str, Any]:
    return {"path": PATH, "httponly": True, "samesite": "Strict", "secure": request.is_secure}
