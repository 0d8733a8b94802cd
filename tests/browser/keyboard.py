"""A person at a keyboard: Tab, arrows, Space and Enter, and nothing else."""

from collections.abc import Mapping

from playwright.sync_api import Page

MOST_TABS = 250
# Whether the focus is where it is wanted, and whether that can be seen.
FOCUSED = """wanted => {
  const here = document.activeElement, box = here.getBoundingClientRect();
  const seen = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
  return [here.matches(wanted), seen || here === document.body, here.outerHTML.slice(0, 120)];
}"""
FIELDS = """() => {
  const fields = [...document.querySelectorAll("#form [name]")];
  return fields.filter(one => one.type !== "hidden" && one.name !== "go").map(one => {
    const closed = one.closest("details:not([open])");
    return [one.name, one.type, closed ? [...document.querySelectorAll("details")].indexOf(closed) : -1];
  });
}"""
SUMMARY = """index => {
  const wanted = document.querySelectorAll("details")[index].querySelector("summary");
  return wanted === document.activeElement;
}"""


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until what a selector means has the focus; wherever the focus comes by, it can be seen."""
    passed = []
    for _ in range(MOST_TABS):
        there, seen, what = page.evaluate(FOCUSED, wanted)
        assert seen, f"the focus cannot be seen on {what}"
        if there:
            return
        passed.append(what)
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {wanted}: it comes to {', '.join(dict.fromkeys(passed))}")


def press(page: Page, button: str, key: str = "Enter") -> None:
    """Go to a button and press it; another page comes."""
    tab_to(page, button)
    with page.expect_navigation():
        page.keyboard.press(key)


def go(page: Page, what: str) -> None:
    """Press the button of a form that does something."""
    press(page, f'button[name="go"][value="{what}"]')


def fill(page: Page, answers: Mapping[str, str]) -> None:
    """Answer questions by their names, in the order in which they stand on the page."""
    found = page.evaluate(FIELDS)
    assert answers.keys() <= {name for name, _, _ in found}, answers.keys() - {name for name, _, _ in found}
    opened, done = set(), set()
    for name, kind, closed in found:
        if name not in answers or name in done:
            continue
        if closed >= 0 and closed not in opened:
            _open(page, closed)
            opened.add(closed)
        _answer(page, name, kind, answers[name])
        done.add(name)


def _open(page: Page, details: int) -> None:
    for _ in range(MOST_TABS):
        if page.evaluate(SUMMARY, details):
            page.keyboard.press("Space")
            return
        page.keyboard.press("Tab")
    raise AssertionError("Tab never comes to what opens the fields")


def _answer(page: Page, name: str, kind: str, answer: str) -> None:
    tab_to(page, f'[name="{name}"]')
    if kind == "checkbox":
        page.keyboard.press("Space")
    elif kind == "text":
        page.keyboard.type(answer)
    else:
        step = "ArrowRight" if kind == "radio" else "ArrowDown"
        if kind == "select-one":
            page.keyboard.press("Home")
        for _ in range(100):
            if page.evaluate("() => document.activeElement.value") == answer:
                break
            page.keyboard.press(step)
        else:
            raise AssertionError(f"the arrows never come to {answer} of {name}")
        if kind == "radio":
            page.keyboard.press("Space")
