"""The fixtures of the browser tests: one server and one browser for all, a window of its own for each."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.ground import ALLOWED_HOST, REFUSED_HOST, Host, Look, Site, Watch, hosting, launch, serving

OpenPage = Callable[..., Page]
PATIENCE = 10_000  # milliseconds


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    """A site of somebody else, which may frame the advisor under its first name only."""
    with hosting() as one:
        yield one


@pytest.fixture(scope="session")
def site(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A served advisor."""
    with serving(tmp_path_factory.mktemp("site"), ADVISOR_EMBED_ORIGINS=host.origin()) as one:
        yield one


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as playwright:
        one = launch(playwright)
        yield one
        one.close()


@pytest.fixture
def watches() -> Iterator[list[Watch]]:
    """The eyes on the windows of this test, in the order in which they were opened; it fails if they saw anything."""
    seen: list[Watch] = []
    yield seen
    complaints = [complaint for watch in seen for complaint in watch.complaints()]
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def open_page(browser: Browser, site: Site, host: Host, watches: list[Watch]) -> Iterator[OpenPage]:
    """Open a page in a window of its own; the options are those of Look. Addresses such as "/" are the site's."""
    hosts = {site.url.removeprefix("http://"), *(f"{name}:{host.port}" for name in (ALLOWED_HOST, REFUSED_HOST))}
    contexts = []

    def open_one(look: Look | None = None, **options: object) -> Page:
        context = (look or Look(**options)).context(browser, site.url)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        watches.append(Watch(context, hosts))
        return context.new_page()

    yield open_one
    for context in contexts:
        context.close()
