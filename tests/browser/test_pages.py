"""Every page there is can be read and used: narrow, enlarged, dark, in forced colours, in every language."""

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.ground import Look, no_sideways_scroll, no_violations

PAGES = {
    "/": 200,
    "/?view=compact": 200,
    "/?view=fees": 200,
    "/embed": 200,
    "/embed?view=compact": 200,
    "/embed/try": 200,
    "/portfolio": 200,
    "/results/none": 404,
    "/no-such-page": 404,
}
LANGUAGES = {"en": "en", "zh-CN": "zh-Hans"}
# 400 % of a window of 1280 by 1024 pixels leaves 320 by 256 of CSS.
ENLARGED = Look(width=320, height=256, scale=4)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_every_look(path: str, language: str, open_page: OpenPage) -> None:
    page = open_page(ENLARGED)
    answer = page.goto(f"{path}{'&' if '?' in path else '?'}locale={language}")
    assert answer is not None and answer.status == PAGES[path]
    assert page.locator("html").get_attribute("lang") == LANGUAGES[language]
    assert page.locator("h1").count() == 1
    no_sideways_scroll(page)
    no_violations(page)
    page.emulate_media(color_scheme="dark")
    no_violations(page)
    page.emulate_media(color_scheme="light", forced_colors="active")
    no_violations(page)
    page.emulate_media(forced_colors="none")
    page.set_viewport_size({"width": 1280, "height": 900})
    no_sideways_scroll(page)
    no_violations(page)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_scripts(path: str, open_page: OpenPage) -> None:
    page = open_page(width=320, height=640, scripts=False)
    answer = page.goto(path)
    assert answer is not None and answer.status == PAGES[path]
    no_sideways_scroll(page)
    no_violations(page)
