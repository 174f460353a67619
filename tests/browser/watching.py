"""A browser's window that notes all that a page does which none of ours may."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from playwright.sync_api import BrowserContext, Page, Route

# What a page may load besides its own file: what it holds itself.
OWN = ("data:", "blob:", "about:")
HARMED = "window.harmed"
"""What the scripts in tests/hostile.py set."""


class Watched:
    """A page, and what went wrong: :meth:`check` fails if anything did.

    ``asked`` are the addresses that were asked for and are neither the opened file nor below
    ``folder``; none is loaded. ``said`` are errors and warnings on the console and exceptions,
    ``opened`` the dialogs and windows that came up.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.asked: list[str] = []
        self.said: list[str] = []
        self.opened: list[str] = []
        self.own: set[Path] = set()
        self.folder: Path | None = None
        context.route("**/*", self._route)
        context.on("weberror", lambda error: self.said.append(f"exception: {error.error}"))
        context.on("console", self._console)
        context.on("dialog", self._dialog)
        self.page: Page = context.new_page()
        context.on("page", lambda page: self.opened.append(f"window: {page.url}"))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("download", lambda download: self.opened.append(f"download: {download.url}"))

    def open(self, path: Path, *, folder: Path | None = None, fragment: str = "") -> Page:
        """Open a file; links may lead to others only below ``folder``."""
        self.own.add(path)
        self.folder = folder
        self.page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        return self.page

    def check(self) -> None:
        """Fail if the page did what none may do."""
        found = {
            "asked for other files": self.asked,
            "opened": self.opened,
            "on the console": self.said,
            "scripts of names that ran": [f.url for f in self.page.frames if f.evaluate(HARMED)],
        }
        assert not any(found.values()), {what: seen for what, seen in found.items() if seen}

    def _route(self, route: Route) -> None:
        url = route.request.url
        if url.startswith(OWN) or self._is_own(url):
            route.continue_()
        else:
            self.asked.append(url)
            route.abort()

    def _is_own(self, url: str) -> bool:
        parts = urlsplit(url)
        path = Path(unquote(parts.path))
        if parts.scheme != "file":
            return False
        return path in self.own or (self.folder is not None and self.folder in path.parents)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning", "assert"):
            self.said.append(f"{message.type}: {message.text}")

    def _dialog(self, dialog: Any) -> None:
        self.opened.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()
