"""The form in a frame of somebody's site: who may frame it, the loader, and a page that shows it live."""

import time
from contextlib import suppress
from dataclasses import dataclass

from flask import Blueprint, Response, abort, current_app, request
from markupsafe import escape

from advisor.domain.program import MARKETPLACES
from advisor.errors import Unauthenticated
from advisor.messages import PLACES
from advisor.services import keys
from advisor.web.pages.shell import (
    EMITS,
    SHELL,
    THEMES,
    VIEWS,
    Shell,
    asset,
    asset_response,
    languages,
    one_of,
    page,
    say,
)
from advisor.web.stored import Workspaces

SELF = "'self'"
KNOWN_SECONDS = 60.0
MOST_KNOWN = 10_000
LOADER = "v1.js"
LOADER_SECONDS = 3600
# Colours to try. Each is readable on light pages but the last, which is for dark ones.
ACCENTS = {"": "", "plum": "#8a1c5b", "blue": "#1d4ed8", "amber": "#ffc857"}


def framing(workspaces: Workspaces) -> Shell:
    """Say who may frame this request's page: the origins of its publishable key, or those of the settings without.

    Without a key the advisor's own pages may, too; with one, only if the key names their origin. Raises
    StoreUnavailable.
    """
    key = request.args.get("key", "")
    origins = origins_of(workspaces, key) if key else (SELF, *workspaces.settings.embed_origins)
    wanted = request.args.get("origin", "")
    known = {_own_origin() if one == SELF else one for one in origins}
    shell = Shell(framed=True, origins=origins, host=wanted if wanted in known else "", emit=one_of("emit", EMITS))
    request.environ[SHELL] = shell
    return shell


def origins_of(workspaces: Workspaces, key: str) -> tuple[str, ...]:
    """Give the origins whose pages may use a publishable key; none for one that is unknown, ended, or secret.

    A key that was good is believed for a minute. Raises StoreUnavailable.
    """
    if not keys.is_well_formed(key):
        return ()
    known: dict[str, tuple[tuple[str, ...], float]] = current_app.extensions.setdefault("advisor.page_keys", {})
    origins, until = known.get(key, ((), 0.0))
    now = time.monotonic()
    if now < until:
        return origins
    with suppress(Unauthenticated):
        with workspaces.database.reading() as connection:
            found = workspaces.admitted(*keys.find(connection, workspaces.secret, key))
        if found.origins is None:
            return ()
        workspaces.note_use()
        if len(known) >= MOST_KNOWN:
            known.clear()
        known[key] = found.origins, now + KNOWN_SECONDS
        return found.origins
    known.pop(key, None)
    return ()


def _own_origin() -> str:
    return request.host_url.rstrip("/")


@dataclass(frozen=True, slots=True)
class Trial:
    """What is chosen on the page to try it."""

    key: str
    view: str
    marketplace: str
    locale: str
    theme: str
    emit: str
    accent: str

    @property
    def attributes(self) -> dict[str, str]:
        """Give the attributes of the element, but the key: those that are not as they are anyway."""
        chosen = {
            "view": self.view,
            "marketplace": self.marketplace,
            "locale": self.locale,
            "theme": self.theme,
            "emit": self.emit,
        }
        usual = {VIEWS[0], THEMES[0], EMITS[0], ""}
        return {name: value for name, value in chosen.items() if value not in usual}

    @property
    def snippet(self) -> str:
        """Write what a site pastes."""
        home = escape(_own_origin())
        given = ({"key": self.key} if self.key else {}) | self.attributes
        written = "".join(f' {name}="{escape(value)}"' for name, value in given.items())
        query = f"?key={escape(self.key)}" if self.key else ""
        return (
            f'<script src="{home}/embed/{LOADER}" async></script>\n'
            f"<seller-advisor{written}>\n"
            f'  <a href="{home}/{query}">{escape(say("Check eligibility and fees"))}</a>\n'
            "</seller-advisor>\n"
        )

    @property
    def style(self) -> str:
        """Write what goes into the site's stylesheet; nothing without an accent."""
        return f"seller-advisor {{ --advisor-accent: {ACCENTS[self.accent]}; }}\n" if self.accent else ""


def _trial(key: str) -> Trial:
    return Trial(
        key=key,
        view=one_of("view", VIEWS),
        marketplace=one_of("marketplace", ("", *MARKETPLACES)),
        locale=one_of("locale", ("", *(tag for tag, _ in languages()))),
        theme=one_of("theme", THEMES),
        emit=one_of("emit", EMITS) if "emit" in request.args else "summary",
        accent=one_of("accent", tuple(ACCENTS)),
    )


def add(pages: Blueprint, workspaces: Workspaces) -> None:
    """Add the loader and the page to try it."""

    @pages.get(f"/embed/{LOADER}")
    def loader() -> Response:
        """Serve the script that a site pastes: its address never changes, so it is kept for an hour only."""
        response = asset_response("", LOADER) or abort(404)
        response.headers["Cache-Control"] = f"public, max-age={LOADER_SECONDS}"
        # Pages that isolate themselves take scripts of others only with this.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        response.set_etag(asset(LOADER).split("/")[2])
        response.make_conditional(request)
        return response

    @pages.get("/embed/try")
    def embed_try() -> Response:
        """Show the form as a site shows it, with the snippet to copy."""
        given = request.args.get("key", "").strip()
        origins = origins_of(workspaces, given)
        trial = _trial(given if origins else "")
        response = page(
            "embed_try.html",
            section="embed",
            trial=trial,
            given=given,
            is_secret=given.startswith("sk_"),
            origins=origins,
            without_key=workspaces.settings.embed_origins,
            home=_own_origin(),
            places=[(place, say(PLACES[place])) for place in MARKETPLACES],
        )
        # The page is such a host itself: no style or script of its own, and frames of the advisor only.
        response.headers["Content-Security-Policy"] += f"; frame-src {SELF}"
        return response
