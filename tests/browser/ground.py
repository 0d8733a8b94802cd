"""What the browser tests and the screenshots stand on: a served advisor, a host page elsewhere, an eye on the pages."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Playwright, Response

from tests.browser.install import chromium

ROOT = Path(__file__).parent.parent.parent
ANNOUNCED = re.compile(r"listens on (http://127\.0\.0\.1:\d+)")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]
ALLOWED_HOST, REFUSED_HOST = "shop.localhost", "stranger.localhost"


def launch(playwright: Playwright) -> Browser:
    """Start the browser. Chromium does not run as root within its sandbox."""
    args = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=chromium(), args=args)


@dataclass(frozen=True)
class Look:
    """How a page is looked at: sizes in CSS pixels, `scale` in pixels of the screen for each of them."""

    width: int = 1280
    height: int = 900
    scale: float = 1
    dark: bool = False
    forced_colors: bool = False
    language: str = "en-US"
    scripts: bool = True

    def context(self, browser: Browser, base_url: str) -> BrowserContext:
        """Open a window of its own, with no memory of others."""
        return browser.new_context(
            base_url=base_url,
            viewport={"width": self.width, "height": self.height},
            device_scale_factor=self.scale,
            color_scheme="dark" if self.dark else "light",
            forced_colors="active" if self.forced_colors else "none",
            reduced_motion="reduce",
            locale=self.language,
            java_script_enabled=self.scripts,
            accept_downloads=True,
        )


@dataclass(frozen=True)
class Site:
    """A served advisor with a database of its own."""

    url: str
    environment: dict[str, str]

    def command(self, *args: str) -> str:
        """Run `advisor` beside it; gives what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "advisor", *args], cwd=ROOT, env=self.environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        return done.stdout

    def new_key(self, workspace: str, *options: str) -> str:
        """Make a key of a workspace; the workspace is made if there is none."""
        return self.command("keys", "create", "--workspace", workspace, *options).split()[0]

    def ask(self, method: str, path: str, body: Any = None, key: str = "", language: str = "en-US") -> Any:
        """Ask the API; gives the JSON it answers with. A refusal raises AssertionError with what it says."""
        headers = {"Accept-Language": language, "Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(f"{self.url}{path}", data, headers, method=method), timeout=30) as answer:
                return json.load(answer)
        except HTTPError as refused:
            with refused:
                raise AssertionError(refused.read().decode()) from None


@contextmanager
def serving(folder: Path, **changes: str) -> Iterator[Site]:
    """Serve an advisor whose data lie in a folder, until the block ends."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        "ADVISOR_DATABASE_URL": f"sqlite:///{folder}/advisor.db",
        "ADVISOR_FILES_DIR": f"{folder}/files",
        "ADVISOR_SECRET_KEY": "a secret of the browser tests",
        "ADVISOR_RATE_LIMIT": "off",
        "ADVISOR_FREE_SPACE": "0",
        "ADVISOR_DRAIN_SECONDS": "0",
        **changes,
    }
    log = folder / "served.log"
    command = [sys.executable, "-m", "advisor", "serve", "--host", "127.0.0.1", "--port", "0", "--workers", "2"]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as server,
    ):
        try:
            assert server.stdout is not None
            found = ANNOUNCED.search(server.stdout.readline())
            assert found is not None, log.read_text()
            yield Site(found[1], environment)
        finally:
            server.terminate()


@dataclass(frozen=True)
class Host:
    """A site of somebody else, which embeds the advisor: whatever it is told to show, under several names."""

    port: int
    pages: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)

    def origin(self, name: str = ALLOWED_HOST) -> str:
        """Give the origin under a name; browsers find every name that ends in .localhost on this machine."""
        return f"http://{name}:{self.port}"

    def show(self, html: str, headers: Mapping[str, str] | None = None, name: str = ALLOWED_HOST) -> str:
        """Put a page up; gives its address."""
        path = f"/{len(self.pages) + 1}.html"
        self.pages[path] = (html, dict(headers or {}))
        return self.origin(name) + path


@contextmanager
def hosting() -> Iterator[Host]:
    """Serve pages of somebody else, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = host.pages.get(urlsplit(self.path).path)
            body, headers = found or ("", {})
            self.send_response(200 if found else 204 if self.path == "/favicon.ico" else 404)
            for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        host = Host(server.server_address[1])
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield host
        server.shutdown()


class Watch:
    """Notes what no page may do: errors and warnings in the console, what its policy refuses, requests that fail, and
    requests to anywhere but `hosts`, which have a port.

    A page itself may answer 4xx: what a form does not take is shown again.
    """

    def __init__(self, context: BrowserContext, hosts: set[str]) -> None:
        self.found: list[str] = []
        self.allowed: list[str] = []
        self.pages: set[str] = set()
        self.requests: list[str] = []
        self.hosts = hosts
        context.on("request", lambda request: self._asked(request.url))
        context.on("response", self._answered)
        context.on("requestfailed", lambda request: self._failed(request.url, request.failure or ""))
        context.on("console", self._said)
        context.on("dialog", self._asks)
        context.on("weberror", lambda error: self.found.append(f"a script failed: {error.error}"))

    def allow(self, pattern: str) -> None:
        """Let pass what a test brings about on purpose: what `found` says, as a regular expression."""
        self.allowed.append(pattern)

    def complaints(self) -> list[str]:
        """List what was found and not allowed."""
        return [one for one in self.found if not any(re.search(pattern, one) for pattern in self.allowed)]

    def _asks(self, dialog: Dialog) -> None:
        self.found.append(f"a dialog says {dialog.message!r}")
        dialog.dismiss()

    def _asked(self, url: str) -> None:
        self.requests.append(url)
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc not in self.hosts:
            self.found.append(f"a request to another host: {url}")

    def _answered(self, response: Response) -> None:
        page = response.request.is_navigation_request()
        if page and 400 <= response.status < 500:
            self.pages.add(response.url)
        elif response.status >= 400:
            self.found.append(f"{response.status} from {response.url}")

    def _failed(self, url: str, why: str) -> None:
        if why != "net::ERR_ABORTED":  # the page was left, or became a download
            self.found.append(f"a request failed, {why}: {url}")

    def _said(self, message: ConsoleMessage) -> None:
        refused = "Failed to load resource" in message.text and message.location["url"] in self.pages
        if message.type in ("error", "warning") and not refused:
            self.found.append(f"the console has an {message.type}: {message.text} ({message.location['url']})")


@cache
def axe() -> str:
    """Read axe-core."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


RUN_AXE = """runOnly => Promise.race([
  new Promise((_, fail) => setTimeout(() => fail(new Error("axe-core takes more than 20 seconds")), 20000)),
  axe.run(document, {runOnly, resultTypes: ["violations"]}),
])"""
ANY_ORIGIN = """() => axe.configure({allowedOrigins: ["<unsafe_all_origins>"]})"""


LOOK = """() => ({
  width: innerWidth, height: innerHeight, scale: devicePixelRatio,
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  forced_colors: matchMedia("(forced-colors: active)").matches,
  scripts: !matchMedia("(scripting: none)").matches,
})"""


def no_violations(page: Page, rules: Sequence[str] = ()) -> None:
    """Hold a page, with its frames, against WCAG 2.2 A and AA and the best practices of axe-core, or against rules."""
    look = Look(**page.evaluate(LOOK))
    if look.scripts:
        _no_violations(page, rules)
    else:  # axe-core is a script: it looks at a copy, in a window that loads no other
        assert page.context.browser is not None
        with replace(look, scripts=True).context(page.context.browser, page.url) as context:
            html = page.content()
            context.route("**/*.js", lambda route: route.abort())
            context.route(page.url, lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
            copy = context.new_page()
            copy.goto(page.url)
            _no_violations(copy, rules)


def _no_violations(page: Page, rules: Sequence[str]) -> None:
    for frame in page.frames:
        if not frame.evaluate("() => Boolean(window.axe)"):
            frame.evaluate(axe())
            frame.evaluate(ANY_ORIGIN)
    violations = page.evaluate(
        RUN_AXE, {"type": "rule", "values": rules} if rules else {"type": "tag", "values": WCAG}
    )["violations"]
    lines = [f"{len(violations)} rules are broken on {page.url}"]
    for one in violations:
        lines.append(f"{one['id']} ({one['impact']}): {one['help']}. {one['helpUrl']}")
        for node in one["nodes"][:5]:
            lines.append(f"  {json.dumps(node['target'])}: {node['html'][:160]}")
            lines += [f"    {line.strip()}" for line in (node["failureSummary"] or "").splitlines()[1:]]
    assert not violations, "\n".join(lines)


# What scrolls within itself may be wider than the window; the page may not, nor may it hide that it is.
TOO_WIDE = """() => {
  const root = document.scrollingElement, width = root.clientWidth, found = [];
  const scrolls = element => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  for (const element of [document.documentElement, document.body])
    if (["hidden", "clip"].includes(getComputedStyle(element).overflowX))
      found.push(`<${element.localName}> hides what is too wide`);
  if (root.scrollWidth > width) {
    found.push(`the page is ${root.scrollWidth} wide, in a window of ${width}`);
    // What is placed absolutely widens the page even from within something that scrolls, unless that is positioned.
    for (const element of document.body.querySelectorAll("*")) {
      const free = getComputedStyle(element).position === "absolute";
      let inside = free ? element.offsetParent : element.parentElement;
      while (inside && !scrolls(inside)) inside = free ? inside.offsetParent : inside.parentElement;
      const right = element.getBoundingClientRect().right;
      if (!inside && right > width + 0.5)
        found.push(`  to ${Math.round(right)}: ${element.outerHTML.slice(0, 120)}`);
    }
  }
  return found.slice(0, 8);
}"""


def no_sideways_scroll(page: Page) -> None:
    """Show that a page fits the width of its window."""
    found = page.evaluate(TOO_WIDE)
    assert not found, "\n".join([page.url, *found])
