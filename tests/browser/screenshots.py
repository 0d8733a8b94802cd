"""Take pictures of the main states of the pages for review: `make screenshots`, into build/screenshots or a folder.

Each state is taken narrow and wide, light and dark, in every language; index.html shows them side by side.
"""

import argparse
import html
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.ground import Look, Site, launch, serving
from tests.browser.states import MISSED, example, keep_sellers, sign_in, submit

USUAL = Path("build/screenshots")
WIDTHS = (360, 1280)
LANGUAGES = ("en", "zh-Hans")
Show = Callable[[Page, str, str], object]  # the page, its language as ?locale=..., and the key of a workspace

STATES: dict[str, Show] = {
    "account": lambda page, query, _: page.goto(f"/{query}"),
    "numbers": lambda page, query, _: submit(page, f"/{query}", example(step="account"), "next"),
    "prices": lambda page, query, _: submit(page, f"/{query}", example(step="numbers"), "next"),
    "one-page": lambda page, query, _: submit(page, f"/{query}&view=compact", example(), "refresh"),
    "errors": lambda page, query, _: submit(
        page, f"/{query}&view=compact", example(line_1_price="1,234", late_shipment_rate_30d_of=""), "result"
    ),
    "eligible": lambda page, query, _: submit(page, f"/{query}", example(), "result"),
    "not-eligible": lambda page, query, _: submit(page, f"/{query}", example(**MISSED), "result"),
    "undetermined": lambda page, query, _: submit(
        page, f"/{query}", example(late_shipment_rate_30d_how="unknown"), "result"
    ),
    "not-covered": lambda page, query, _: submit(page, f"/{query}", {"marketplace": "AU"}, "result"),
    "fees": lambda page, query, _: submit(page, f"/{query}&view=fees", example(), "result"),
    "shared": lambda page, query, _: submit(page, f"/{query}", example(), "share"),
    "frame": lambda page, query, _: page.goto(f"/embed{query}"),
    "embedding": lambda page, query, _: page.goto(f"/embed/try{query}", wait_until="networkidle"),
    "no-such-page": lambda page, query, _: page.goto(f"/no-such-page{query}"),
    "sign-in": lambda page, query, _: page.goto(f"/portfolio{query}"),
    "sellers": lambda page, query, key: sign_in(page, key, query.removeprefix("?locale=")),
    "seller": lambda page, query, _: page.goto(f"/portfolio/sellers/A-1{query}"),
    "files": lambda page, query, _: page.goto(f"/portfolio/batches{query}"),
}


def take(browser: Browser, site: Site, folder: Path) -> list[Path]:
    """Take every picture; gives the files."""
    key = site.new_key("Screenshots")
    keep_sellers(site, key)
    taken = []
    for width, dark, language in product(WIDTHS, (False, True), LANGUAGES):
        look = Look(width=width, height=800, dark=dark, language=language)
        with look.context(browser, site.url) as context:
            page = context.new_page()
            for name, show in STATES.items():
                show(page, f"?locale={language}", key)
                taken.append(folder / f"{name}-{width}-{'dark' if dark else 'light'}-{language}.png")
                page.screenshot(path=taken[-1], full_page=True)
    return taken


def contents(files: list[Path]) -> str:
    """Write a page that shows the pictures, state by state."""
    parts = [
        "<!doctype html><meta charset=utf-8><title>Screenshots</title><style>img{width:20rem;margin:.5rem}</style>"
    ]
    for name in STATES:
        parts.append(f"<h2>{html.escape(name)}</h2>")
        ours = tuple(f"{name}-{width}-" for width in WIDTHS)
        parts += [
            f'<a href="{file.name}"><img src="{file.name}" alt="{file.stem}" loading="lazy"></a>'
            for file in files
            if file.name.startswith(ours)
        ]
    return "\n".join(parts)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=USUAL)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, serving(Path(data)) as site, sync_playwright() as playwright:
        browser = launch(playwright)
        files = take(browser, site, folder)
        browser.close()
    index = folder / "index.html"
    index.write_text(contents(files), encoding="utf-8")
    print(f"{len(files)} pictures are in {folder}; {index} shows them.")


if __name__ == "__main__":
    main()
