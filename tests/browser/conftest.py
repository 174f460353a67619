"""One Chromium for all tests of a session, and pages that are watched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from command_line import call
from playwright.sync_api import Browser, Page, sync_playwright
from watching import Watched

SIZE = {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Without one the tests are skipped, in CI they fail."""
    path = chromium.find()
    if path is None:
        if os.environ.get("CI") or os.environ.get(chromium.VARIABLE):
            pytest.fail(chromium.MISSING)
        pytest.skip(chromium.MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def watched(browser) -> Iterator[Watched]:
    """A window that opens one file. What no page may do fails the test when it ends."""
    with browser.new_context(viewport=SIZE, color_scheme="light") as context:
        watched = Watched(context)
        yield watched
        watched.check()


@pytest.fixture
def page(watched) -> Page:
    """The page of :func:`watched`."""
    return watched.page


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """The page that a command writes with ``-o``; the same command is called once a session."""
    files: dict[tuple[str, ...], Path] = {}

    def write(*arguments: str, statuses: tuple[int, ...] = (0,)) -> Path:
        if arguments not in files:
            path = tmp_path_factory.mktemp("written") / "page.html"
            result = call(*arguments, "-o", str(path))
            assert result.exit_code in statuses, result.output
            assert result.stdout == ""
            files[arguments] = path
        return files[arguments]

    return write
