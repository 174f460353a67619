"""Takes page.png: the page of a network in a browser, with a block selected.

``python docs/pictures/page.py PAGE.html PICTURE.png``; it needs Playwright and a Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from chromium import find

PAGE, PICTURE = map(Path, sys.argv[1:])
SELECTED = "conv3_x/block1"


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 860})
        page.goto(PAGE.resolve().as_uri())
        page.select_option("#view", "block")
        page.locator("#by-block tbody tr", has_text=SELECTED).first.click()
        page.locator("#network").evaluate("element => element.scrollIntoView()")
        page.wait_for_timeout(500)  # the diagram moves to what was selected
        page.screenshot(path=PICTURE)
        browser.close()


main()
