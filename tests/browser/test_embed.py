"""The form on pages of somebody else, in a real browser: shown, refused, removed, lied to, and dressed."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Frame, FrameLocator, Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.ground import REFUSED_HOST, Host, Look, Site, Watch, no_sideways_scroll, no_violations

LINK = '<a href="/elsewhere">Check eligibility and fees</a>'
PATIENCE = 6_000  # milliseconds until the link is shown for good
REFUSES = "frame-ancestors|ERR_BLOCKED_BY_RESPONSE"
LISTEN = """
if (window === top) {
  window.heard = [];
  for (const name of ["ready", "step", "result", "error"])
    document.addEventListener("advisor:" + name, event =>
      heard.push([name, event.detail, event.target.id, event.bubbles && event.composed]));
}
"""


@dataclass
class Embedded:
    """A page of somebody else with the form on it."""

    page: Page
    site: Site

    def element(self, name: str = "one") -> Locator:
        return self.page.locator(f"#{name}")

    def iframe(self, name: str = "one") -> Locator:
        return self.page.locator(f"#{name} iframe")

    def inside(self, name: str = "one") -> FrameLocator:
        return self.page.frame_locator(f"#{name} iframe")

    def frame(self, name: str = "one") -> Frame:
        """Give the frame itself, once it is ready."""
        expect(self.iframe(name)).to_be_visible()
        found = self.iframe(name).element_handle().content_frame()
        assert found is not None
        return found

    def height(self, name: str = "one") -> float:
        box = self.iframe(name).bounding_box()
        assert box is not None
        return box["height"]

    def heard(self, *kinds: str, of: str = "one") -> list[Any]:
        """List what the page heard of an element: details of events of these kinds."""
        found = self.page.evaluate("() => heard")
        assert all(crosses for _, _, _, crosses in found)
        return [detail for kind, detail, target, _ in found if kind in kinds and target == of]

    def wait_for(self, kind: str, of: str = "one", times: int = 1) -> None:
        """Wait until an element told something so many times."""
        counted = "([kind, of, times]) => heard.filter(one => one[0] === kind && one[2] === of).length >= times"
        self.page.wait_for_function(counted, arg=[kind, of, times])

    def say(self, what: str, data: Any = None, to: str = "one") -> None:
        """Call a method of an element."""
        self.page.evaluate("([to, what, data]) => document.getElementById(to)[what](data)", [to, what, data])

    def button(self, word: str, of: str = "one") -> Locator:
        """Find the button of the form that says so to the server; forms have one for the Enter key that nobody sees."""
        return self.inside(of).locator(f"button[value={word}]:not(.sr)")


Embed = Callable[..., Embedded]


@pytest.fixture
def embed(open_page: OpenPage, site: Site, host: Host) -> Embed:
    """Put elements on a page of somebody else, whose policy allows nothing but what docs/embed.md asks for."""

    def make(
        html: str = "",
        policy: str | None = None,
        name: str = "",
        clock: bool = False,
        look: Look | None = None,
        lang: str = "en",
        **attributes: str,
    ) -> Embedded:
        written = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items())
        body = html or f'<seller-advisor id="one"{written}>{LINK}</seller-advisor>'
        script = f'<script src="{site.url}/embed/v1.js" async></script>'
        strict = f"default-src 'none'; script-src {site.url}; frame-src {site.url}"
        whole = f'<!doctype html><html lang="{lang}"><title>A shop</title>{script}<main><h1>A shop</h1>{body}</main>'
        headers = {"Content-Security-Policy": strict if policy is None else policy.replace("SITE", site.url)}
        address = host.show(whole, headers, **({"name": name} if name else {}))
        page = open_page(look)
        page.add_init_script(LISTEN)
        if clock:
            page.clock.install()
        page.goto(address)
        return Embedded(page, site)

    return make


# Shown


# A browser that gives a third party no place to keep anything has nothing kept either.
KEPT = """async () => {
  const look = async looking => { try { return await looking(); } catch (error) {
    if (!["SecurityError", "UnknownError"].includes(error.name)) throw error;
    return 0;
  } };
  return Promise.all([() => localStorage.length, () => sessionStorage.length, () => document.cookie.length,
    async () => (await indexedDB.databases()).length, async () => window.caches ? (await caches.keys()).length : 0,
  ].map(look));
}"""


def test_a_strict_host_shows_the_form_with_few_requests_and_nothing_kept(
    embed: Embed, site: Site, watches: list[Watch]
) -> None:
    one = embed(emit="summary", title="Check your account")
    one.wait_for("ready")
    expect(one.inside().locator("h1")).to_be_visible()
    expect(one.element().get_by_role("link", name="Check eligibility and fees")).to_be_hidden()
    expect(one.iframe()).to_have_attribute("title", "Check your account")
    assert one.heard("ready", "step") == [{}, {"step": "account"}]
    one.page.wait_for_load_state("networkidle")
    asked = [url for url in watches[0].requests if url.startswith(site.url) and not url.endswith("/embed/v1.js")]
    assert 3 <= len(asked) <= 5, asked
    sizes = {}
    for url in asked:
        with urlopen(url, timeout=30) as answer:
            assert answer.headers["Set-Cookie"] is None
            sizes[url] = len(gzip.compress(answer.read()))
    assert sum(sizes.values()) <= 30_000, sizes
    with urlopen(f"{site.url}/embed/v1.js", timeout=30) as answer:
        assert len(gzip.compress(answer.read())) <= 2_000
    for frame in (one.page.main_frame, one.frame()):
        assert frame.evaluate(KEPT) == [0, 0, 0, 0, 0]
    assert one.page.context.cookies() == []


def test_the_element_without_attributes_speaks_the_language_of_the_page(embed: Embed) -> None:
    one = embed(lang="zh-CN")
    expect(one.inside().locator("html")).to_have_attribute("lang", "zh-Hans")
    other = embed(lang="zh-CN", locale="en")
    expect(other.inside().locator("html")).to_have_attribute("lang", "en")
    expect(other.iframe()).to_have_attribute("title", "Seller Program Advisor")


def test_the_whole_form_works_in_a_frame_and_tells_each_step(embed: Embed) -> None:
    one = embed(emit="summary", view="guided")
    one.button("example").click()
    one.wait_for("step", times=2)
    for times in (3, 4):
        one.button("next").click()
        one.wait_for("step", times=times)
    one.button("result").click()
    one.wait_for("result")
    steps = [one["step"] for one in one.heard("step")]
    assert (steps[-3:], set(steps)) == (["numbers", "prices", "result"], {"account", "numbers", "prices", "result"})
    (told,) = one.heard("result")
    assert told == {"result_id": None, "verdict": told["verdict"], "program": "enterprise-mall", "marketplace": "US"}
    assert told["verdict"] == one.inside().locator(".verdict").get_attribute("class").split()[1]  # type: ignore[union-attr]
    assert len(one.heard("ready")) == 1
    # What leads out of the frame does not lead nowhere: sources may not be framed.
    where = "() => [...document.links].map(link => [link.origin === location.origin, link.target])"
    assert {(False, "_blank"), (True, "")} == {tuple(one) for one in one.frame().evaluate(where)}


@pytest.mark.parametrize("emit", ["none", "full"])
def test_what_the_page_learns_of_a_result_is_what_it_asked_for(embed: Embed, emit: str) -> None:
    one = embed(emit=emit, view="compact")
    one.button("example").click()
    one.wait_for("step", times=2)
    one.button("result").click()
    one.page.wait_for_function("() => heard.some(one => one[1].step === 'result')")
    found = one.heard("result")
    if emit == "none":
        assert found == []
        return
    (told,) = found
    assert told["answer"]["assessment"]["verdict"] == told["verdict"]
    assert "40.00" in json.dumps(told["answer"])


# Refused


def test_a_site_that_no_one_named_gets_the_link(embed: Embed, watches: list[Watch]) -> None:
    one = embed(name=REFUSED_HOST, clock=True)
    watches[-1].allow(REFUSES)
    link = one.element().get_by_role("link", name="Check eligibility and fees")
    expect(link).to_be_visible()
    expect(one.iframe()).to_have_count(1)
    one.page.clock.fast_forward(PATIENCE - 2000)
    assert one.heard("error") == []
    one.page.clock.fast_forward(2000)
    one.wait_for("error")
    assert one.heard("ready", "step", "error") == [{"code": "no_answer"}]
    expect(one.iframe()).to_have_count(0)
    expect(link).to_be_visible()


def test_a_key_lets_the_origins_that_it_names_and_no_others(
    embed: Embed, site: Site, host: Host, watches: list[Watch]
) -> None:
    named = ("--publishable", "--origin", host.origin(REFUSED_HOST))
    key = next(
        word for word in site.command("keys", "create", "--workspace", "Shop", *named).split() if word[:3] == "pk_"
    )
    embed(name=REFUSED_HOST, key=key).wait_for("ready")
    other = embed(key=key, clock=True)
    watches[-1].allow(REFUSES)
    other.page.clock.fast_forward(PATIENCE + 100)
    other.wait_for("error")
    assert other.heard("ready") == []
    bad = embed(key="pk_0", clock=True)
    watches[-1].allow(REFUSES)
    bad.page.clock.fast_forward(PATIENCE + 100)
    bad.wait_for("error")


@pytest.mark.parametrize("policy", ["default-src 'none'", "default-src 'none'; script-src SITE"])
def test_where_the_script_or_the_frame_is_blocked_there_is_the_link(
    embed: Embed, watches: list[Watch], policy: str
) -> None:
    one = embed(policy=policy, clock=True)
    watches[-1].allow("Content Security Policy|failed, csp")
    one.page.clock.fast_forward(PATIENCE + 100)
    expect(one.element().get_by_role("link", name="Check eligibility and fees")).to_be_visible()
    expect(one.iframe()).to_have_count(0)


def test_without_scripts_there_is_the_link(embed: Embed) -> None:
    one = embed(look=Look(scripts=False))
    expect(one.element().get_by_role("link", name="Check eligibility and fees")).to_be_visible()


# Several, and none any more


TWO = f"""
<style nonce="n">#two {{ --advisor-accent: #8a1c5b; }}</style>
<seller-advisor id="one" view="guided">{LINK}</seller-advisor>
<seller-advisor id="two" view="compact" locale="zh-CN">{LINK}</seller-advisor>
"""
WITH_STYLES = "default-src 'none'; script-src SITE; frame-src SITE; style-src 'nonce-n'"


def test_two_on_a_page_do_not_disturb_each_other(embed: Embed) -> None:
    one = embed(TWO, policy=WITH_STYLES)
    for name in ("one", "two"):
        one.wait_for("step", of=name)
        assert one.heard("ready", of=name) == [{}]
    expect(one.inside("one").locator("html")).to_have_attribute("lang", "en")
    expect(one.inside("two").locator("html")).to_have_attribute("lang", "zh-Hans")
    accents = [frame.evaluate(STYLE, "--accent") for frame in (one.frame("one"), one.frame("two"))]
    assert accents == ["#0b5d4e", "rgb(138 28 91)"]
    height = one.height("two")
    assert abs(height - one.height("one")) > 200
    one.button("next").click()
    one.wait_for("step", times=2)
    assert len(one.heard("step", of="two")) == 1
    assert one.height("two") == height
    names = [one.iframe(name).get_attribute("name") for name in ("one", "two")]
    assert len(set(names)) == 2


def test_removed_and_added_again_it_begins_anew(embed: Embed) -> None:
    one = embed()
    one.wait_for("ready")
    for times in (2, 3):
        one.page.evaluate("() => { window.kept = document.getElementById('one'); kept.remove(); }")
        expect(one.page.locator("iframe")).to_have_count(0)
        one.page.evaluate("() => document.body.append(kept)")
        one.wait_for("ready", times=times)
        expect(one.iframe()).to_have_count(1)
        expect(one.inside().locator("h1")).to_be_visible()
    one.page.evaluate("() => document.body.prepend(kept)")  # moved
    one.wait_for("ready", times=4)
    one.wait_for("step", times=4)
    expect(one.page.locator("iframe")).to_have_count(1)
    assert len(one.heard("step")) == 4


def test_the_script_may_be_loaded_twice(embed: Embed, site: Site) -> None:
    twice = f'<script src="{site.url}/embed/v1.js?again"></script><seller-advisor id="one">{LINK}</seller-advisor>'
    one = embed(twice)
    one.wait_for("step")
    assert len(one.heard("ready")) == 1
    expect(one.page.locator("iframe")).to_have_count(1)


def test_a_lazy_one_waits_until_the_reader_is_near(embed: Embed) -> None:
    one = embed(
        f'<svg width="10" height="9000"></svg><seller-advisor id="one" loading="lazy">{LINK}</seller-advisor>',
        clock=True,
    )
    expect(one.iframe()).to_have_attribute("loading", "lazy")
    one.page.clock.fast_forward(2 * PATIENCE)
    assert one.heard("ready", "error") == []
    one.element().scroll_into_view_if_needed()
    one.wait_for("ready")


# Lies


def test_forged_messages_are_ignored_by_the_page_and_by_the_frame(embed: Embed, site: Site, host: Host) -> None:
    stranger = host.show("<!doctype html><title>Ad</title><p>Ad", name=REFUSED_HOST)
    policy = f"default-src 'none'; script-src SITE; frame-src SITE {host.origin(REFUSED_HOST)}"
    html = f'<seller-advisor id="one" emit="summary">{LINK}</seller-advisor><iframe id="ad" src="{stranger}"></iframe>'
    one = embed(html, policy=policy)
    one.wait_for("step")
    frame, height = one.frame(), one.height()
    name = one.iframe().get_attribute("name")
    ad = one.page.locator("#ad").element_handle().content_frame()
    assert ad is not None
    good = {"ns": "seller-advisor", "v": 1, "id": name}

    # To the page: from another frame and from itself with everything right, from the frame with one thing wrong.
    for kind, data in (("height", {"height": 5000}), ("result", {"verdict": "eligible"}), ("error", {}), ("ready", {})):
        ad.evaluate("message => parent.postMessage(message, '*')", {**good, "type": kind, "data": data})
        one.page.evaluate("message => postMessage(message, '*')", {**good, "type": kind, "data": data})
        for wrong in ({"ns": "other"}, {"v": 2}, {"v": "1"}, {"id": "other"}, {"type": "nonsense"}):
            message = {**good, "type": kind, "data": data, **wrong}
            frame.evaluate("message => parent.postMessage(message, '*')", message)
    for odd in (None, "text", 7, [], {"ns": "seller-advisor"}):
        frame.evaluate("message => parent.postMessage(message, '*')", odd)

    # To the frame: from the other frame with everything right, from the page with one thing wrong.
    change = {**good, "type": "prefill", "data": {"marketplace": "JP"}}
    reset = {**good, "type": "reset", "data": {}}
    for message in (change, reset):
        ad.evaluate(
            "message => { for (let at = 0; at < parent.length; at++) parent[at].postMessage(message, '*'); }", message
        )
        for wrong in ({"ns": "other"}, {"v": 2}, {"id": "other"}, {"type": "toString"}, {"type": "__proto__"}):
            one.page.evaluate(POST, [{**message, **wrong}, site.url])
        frame.evaluate("message => postMessage(message, '*')", message)
    for odd in (None, "text", 7, [], {**good, "type": "prefill"}, {**good, "type": "theme", "data": None}):
        one.page.evaluate(POST, [odd, site.url])

    # What is right is taken, after all that was not.
    one.page.evaluate(POST, [{**good, "type": "prefill", "data": {"marketplace": "DE"}}, site.url])
    expect(one.inside().locator("[name=marketplace]")).to_have_value("DE")
    frame.evaluate("message => parent.postMessage(message, '*')", {**good, "type": "step", "data": {"step": "true"}})
    one.wait_for("step", times=2)
    assert one.heard("ready", "result", "error") == [{}]
    assert one.heard("step") == [{"step": "account"}, {"step": "true"}]
    assert one.height() == height


POST = """([message, origin]) =>
  document.getElementById("one").shadowRoot.querySelector("iframe").contentWindow.postMessage(message, origin)"""


# Size


def test_the_frame_is_as_high_as_what_is_in_it(embed: Embed) -> None:
    one = embed(view="compact", look=Look(width=360))
    one.wait_for("step")
    inner = "() => document.documentElement.scrollHeight - innerHeight"

    def settled(at_least: float = 0, at_most: float = 10_000) -> float:
        one.page.wait_for_function(
            "([low, high]) => { const {height} = document.getElementById('one').shadowRoot.querySelector('iframe')"
            ".getBoundingClientRect(); return height >= low && height <= high; }",
            arg=[at_least, at_most],
        )
        assert one.frame().evaluate(inner) == 0
        return one.height()

    closed = settled(300)
    details = one.inside().locator("details").first
    details.locator("summary").click()
    grown = settled(closed + 50)
    details.locator("summary").click()
    assert settled(0, grown - 50) == closed
    one.page.set_viewport_size({"width": 1280, "height": 900})
    assert settled(0, closed - 50) < closed
    no_sideways_scroll(one.page)


def test_the_height_stays_within_its_bounds(embed: Embed) -> None:
    one = embed(height_min="1500", view="guided")
    one.wait_for("step")
    assert one.height() == 1500
    frame, name = one.frame(), one.iframe().get_attribute("name")
    send = """([id, height]) =>
      parent.postMessage({ns: "seller-advisor", v: 1, id, type: "height", data: {height}}, "*")"""
    for height, expected in ((10_000_000, 10_000), (-5, 1500), (2000.5, 2000.5), ("nonsense", 2000.5), (None, 1500)):
        frame.evaluate(send, [name, height])
        expect(one.iframe()).to_have_css("height", f"{expected}px".replace(".0px", "px"))


def test_what_the_reader_goes_on_to_is_in_sight(embed: Embed, watches: list[Watch]) -> None:
    one = embed(
        f'<svg width="10" height="700"></svg><seller-advisor id="one">{LINK}</seller-advisor>'
        '<svg width="10" height="3000"></svg>',
        look=Look(width=360, height=640),
    )
    one.wait_for("step")
    assert one.page.evaluate("scrollY") == 0  # the first page does not ask for attention
    top = "() => document.getElementById('one').shadowRoot.querySelector('iframe').getBoundingClientRect().top"
    one.page.evaluate("() => scrollTo(0, 900)")
    one.button("next").click()
    one.wait_for("step", times=2)
    one.page.wait_for_function(f"() => Math.abs(({top})()) < 2")
    for count in one.inside().locator("input[name$=_count]:visible").all():
        count.fill("1")
    one.page.evaluate("() => scrollTo(0, 900)")
    one.button("next").click()  # of how many in all is not said
    watches[-1].allow("Blocked autofocusing")  # the frame does it itself
    summary = one.inside().locator(".summary-of-errors")
    expect(summary).to_be_in_viewport()
    expect(summary).to_be_focused()
    link = summary.locator("a").last
    field = one.inside().locator(str(link.get_attribute("href")))
    expect(field).not_to_be_in_viewport()
    for _ in range(summary.locator("a").count()):
        one.page.keyboard.press("Tab")
    expect(link).to_be_focused()
    one.page.keyboard.press("Enter")
    expect(field).to_be_in_viewport()
    expect(field).to_be_focused()


# Look


STYLE = "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()"


def styled(rules: str) -> str:
    element = f'<seller-advisor id="one" theme="light">{LINK}</seller-advisor>'
    return f'<style nonce="n">seller-advisor {{ {rules} }}</style>{element}'


def test_the_page_dresses_the_form(embed: Embed) -> None:
    rules = (
        "--advisor-accent: #8a1c5b; --advisor-text: hsl(220 60% 15%); --advisor-bg: rgb(250, 245, 255);"
        "--advisor-border: plum; --advisor-radius: 3px; --advisor-font: 'Nobody Has This', Georgia, serif;"
    )
    one = embed(styled(rules), policy=WITH_STYLES)
    one.wait_for("step")
    frame = one.frame()
    frame.wait_for_function("() => document.documentElement.style.length > 0")
    read = {
        name: frame.evaluate(STYLE, f"--{name}") for name in ("accent", "accent-ink", "ink", "bg", "line", "radius")
    }
    assert read == {
        "accent": "rgb(138 28 91)",
        "accent-ink": "rgb(255 255 255)",
        "ink": "rgb(15 31 61)",
        "bg": "rgb(250 245 255)",
        "line": "rgb(221 160 221)",
        "radius": "3px",
    }
    font = frame.evaluate(STYLE, "--font")
    assert font.startswith("Georgia, serif, system-ui") and "Nobody" not in font
    expect(one.inside().locator("body")).to_have_css("background-color", "rgb(250, 245, 255)")
    expect(one.button("next")).to_have_css("background-color", "rgb(138, 28, 91)")
    no_violations(one.page)
    one.button("next").click()
    one.wait_for("step", times=2)
    expect(one.button("next")).to_have_css("background-color", "rgb(138, 28, 91)")


NOT_TAKEN = [
    {"accent": "#ffc857"},  # cannot be read on white
    {"text": "#999"},
    {"bg": "#222"},  # nor can the texts of the light theme on this
    {"accent": "rgb(138 28 91 / 50%)"},
    {"accent": "transparent"},
    {"accent": "inherit"},
    {"accent": "currentColor"},
    {"accent": "var(--bad)"},
    {"accent": "red; background: url(https://elsewhere.example/x)"},
    {"accent": "url(https://elsewhere.example/x)"},
    {"accent": "rgb(var(--x))"},
    {"accent": "#12345"},
    {"accent": ["#8a1c5b"]},
    {"accent": {"toString": "#8a1c5b"}},
    {"bg": "image-set('https://elsewhere.example/x' 1x)"},
    {"bg": "linear-gradient(white, white)"},
    {"border": "1px solid red"},
    {"radius": "40px"},
    {"radius": "-1px"},
    {"radius": "calc(1px + 1px)"},
    {"radius": "3px; color: red"},
    {"radius": "1e9px"},
    {"font": "Wingdings, 'x; } body { display: none'"},
    {"font": "url(https://elsewhere.example/x)"},
    {"--bg": "#fff", "color": "red", "__proto__": {"accent": "#8a1c5b"}},
    {},
]


def test_a_look_that_is_unreadable_or_none_is_not_taken(embed: Embed, site: Site) -> None:
    one = embed(theme="light")
    one.wait_for("step")
    frame, message = one.frame(), {"ns": "seller-advisor", "v": 1, "id": one.iframe().get_attribute("name")}
    look = "() => document.documentElement.style.cssText"
    taken = "is => (document.documentElement.style.cssText !== '') === is"
    for data in NOT_TAKEN:
        one.page.evaluate(POST, [{**message, "type": "theme", "data": {"radius": "2px"}}, site.url])
        frame.wait_for_function(taken, arg=True)
        one.page.evaluate(POST, [{**message, "type": "theme", "data": data}, site.url])
        frame.wait_for_function(taken, arg=False)
        assert frame.evaluate(look) == "", data


def test_the_look_follows_the_device(embed: Embed) -> None:
    one = embed(styled("--advisor-accent: #8a1c5b").replace(' theme="light"', ""), policy=WITH_STYLES)
    one.wait_for("step")
    frame = one.frame()
    taken = "name => document.documentElement.style.getPropertyValue('--accent') === name"
    frame.wait_for_function(taken, arg="rgb(138 28 91)")
    one.page.emulate_media(color_scheme="dark")  # plum cannot be read on dark
    frame.wait_for_function(taken, arg="")
    one.page.emulate_media(color_scheme="light")
    frame.wait_for_function(taken, arg="rgb(138 28 91)")


# What the page says


HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script> \u202egnp.exe 🦄'


def test_fields_are_filled_in_before_the_form_is_there_and_on_later_pages(embed: Embed) -> None:
    one = embed("<p></p>")
    one.page.wait_for_function("() => customElements.get('seller-advisor')")
    data = {
        "marketplace": "DE",
        "selling_plan": "professional",
        "late_shipment_rate_30d_how": "counts",
        "late_shipment_rate_30d_count": 4,
        "late_shipment_rate_30d_of": HOSTILE,
        "step": "prices",
        "go": "result",
        "__proto__": {"x": 1},
        "UPPER": "x",
    }
    one.page.evaluate(
        """data => { const one = document.createElement("seller-advisor"); one.id = "one"; one.emit = "none";
        one.prefill(data); document.body.append(one); }""",
        data,
    )
    one.wait_for("step")
    expect(one.inside().locator("[name=marketplace]")).to_have_value("DE")
    expect(one.inside().locator("[name=selling_plan][value=professional]")).to_be_checked()
    expect(one.inside().locator("input[name=step]")).to_have_value("account")
    assert one.inside().locator("input[name=go], input[name=UPPER]").count() == 0
    one.button("next").click()
    one.wait_for("step", times=2)
    assert one.heard("step")[-1] == {"step": "numbers"}
    expect(one.inside().locator("[name=late_shipment_rate_30d_how][value=counts]")).to_be_checked()
    expect(one.inside().locator("[name=late_shipment_rate_30d_count]")).to_have_value("4")
    expect(one.inside().locator("[name=late_shipment_rate_30d_of]")).to_have_value(HOSTILE)
    assert one.inside().locator("img").count() == 0
    assert one.page.evaluate("() => 'x' in {}") is False


def test_another_theme_keeps_what_was_typed_and_stays(embed: Embed) -> None:
    one = embed(view="compact", theme="light")
    one.wait_for("step")
    field = one.inside().locator("[name=late_shipment_rate_30d_count]")
    field.fill("7")
    one.say("config", {"theme": "dark"})
    expect(one.inside().locator("html")).to_have_attribute("data-theme", "dark")
    expect(field).to_have_value("7")
    one.say("config", {"theme": "neon"})
    one.button("example").click()
    one.wait_for("step", times=2)
    expect(one.inside().locator("html")).to_have_attribute("data-theme", "dark")
    assert len(one.heard("ready")) == 1


def test_another_language_keeps_what_was_typed_and_another_marketplace_begins_anew(embed: Embed) -> None:
    one = embed(view="compact")
    one.wait_for("step")
    field = one.inside().locator("[name=late_shipment_rate_30d_count]")
    field.fill("7")
    one.say("config", {"locale": "zh-CN"})
    one.say("prefill", {"selling_plan": "individual"})  # for the page that comes
    one.wait_for("ready", times=2)
    expect(one.inside().locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(one.inside().locator("[name=selling_plan][value=individual]")).to_be_checked()
    expect(field).to_have_value("7")
    one.say("config", {"locale": "<b>", "marketplace": "everywhere"})
    one.wait_for("ready", times=3)
    expect(field).to_have_value("7")
    one.say("config", {"marketplace": "JP"})
    one.wait_for("ready", times=4)
    expect(one.inside().locator("[name=marketplace]")).to_have_value("JP")
    expect(one.inside().locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(one.inside().locator("[name=selling_plan][value=individual]")).not_to_be_checked()
    expect(field).to_have_value("")


def test_a_reset_empties_the_form_wherever_it_is(embed: Embed) -> None:
    one = embed(view="compact", emit="summary")
    one.button("example").click()
    one.wait_for("step", times=2)
    one.button("result").click()
    one.wait_for("result")
    one.say("reset")
    one.wait_for("ready", times=2)
    assert one.heard("step")[-1] == {"step": "account"}
    expect(one.inside().locator("[name=late_shipment_rate_30d_count]")).to_have_value("")


def test_going_back_tells_the_page_again(embed: Embed) -> None:
    one = embed()
    one.button("next").click()
    one.wait_for("step", times=2)
    before = one.height()
    one.page.evaluate("() => history.back()")
    one.page.wait_for_function("() => heard.filter(one => one[0] === 'step').length >= 3")
    assert [told["step"] for told in one.heard("step")] == ["account", "numbers", "account"]
    expect(one.inside().locator("h1")).to_be_visible()
    one.page.wait_for_function(
        "before => document.getElementById('one').shadowRoot.querySelector('iframe').offsetHeight !== before",
        arg=before,
    )


# The page to try it


@pytest.mark.parametrize("look", [Look(width=320, height=640), Look(), Look(dark=True), Look(forced_colors=True)])
def test_the_page_to_try_shows_the_form_live(open_page: OpenPage, look: Look) -> None:
    page = open_page(look)
    page.goto("/embed/try?accent=plum")
    inside = page.frame_locator("seller-advisor iframe")
    expect(inside.locator("button[value=next]:not(.sr)")).to_be_visible()
    expect(page.locator("#heard li")).to_have_text(["advisor:ready {}", 'advisor:step {"step":"account"}'])
    no_violations(page)
    no_sideways_scroll(page)
    page.locator("#view").select_option("compact")
    page.locator("#locale").select_option("zh-Hans")
    page.locator("form.card button").click()
    expect(page.locator("seller-advisor")).to_have_attribute("view", "compact")
    expect(page.frame_locator("seller-advisor iframe").locator("html")).to_have_attribute("lang", "zh-Hans")
    assert 'view="compact"' in page.locator("#snippet").inner_text()


def test_the_page_to_try_has_the_link_without_scripts(open_page: OpenPage) -> None:
    page = open_page(Look(scripts=False))
    page.goto("/embed/try")
    page.locator("seller-advisor").get_by_role("link").click()
    expect(page.locator("#form")).to_be_visible()
