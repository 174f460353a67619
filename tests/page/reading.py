"""Reading a page back: what is in it, as a parser that is not ours sees it."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from typing import Any

VOID = frozenset({"meta", "input", "br", "img", "link", "hr"})
RAW = frozenset({"script", "style"})


class Element:
    """An element: its tag, attributes, parent, and the text in it and in what it holds."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: Element | None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.children: list[Element] = []
        self.pieces: list[str | Element] = []

    @property
    def text(self) -> str:
        return "".join(p if isinstance(p, str) else p.text for p in self.pieces)

    def every(self, tag: str = "", **attributes: str) -> list[Element]:
        """The elements in it, in order, of that tag and with these attributes."""
        found = []
        for child in self.children:
            fits = all(child.attributes.get(k) == v for k, v in attributes.items())
            if fits and tag in ("", child.tag):
                found.append(child)
            found += child.every(tag, **attributes)
        return found

    def one(self, tag: str = "", **attributes: str) -> Element:
        (element,) = self.every(tag, **attributes)
        return element


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.at = Element("", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.children.append(element)
        self.at.pieces.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag, f"</{tag}> ends <{self.at.tag}>"
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.pieces.append(data)


def parsed(page: str) -> Element:
    """The page's elements; fails where they are not nested as they should be."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.at is reader.root
    return reader.root


def rows(table: Element) -> list[list[str]]:
    """The cells of a table's body as text."""
    return [[c.text.strip() for c in row.children] for row in table.one("tbody").every("tr")]


def harmless(page: str) -> Element:
    """The page's elements, after a look at everything that could run, load or lead elsewhere."""
    root = parsed(page)
    nonce = re.search(r"'nonce-([^']+)'", page)
    assert nonce
    for element in root.every():
        for name, value in element.attributes.items():
            assert not name.startswith("on"), f"<{element.tag} {name}>"
            assert name not in (
                "srcdoc",
                "action",
                "formaction",
                "background",
                "poster",
                "xlink:href",
            )
            if name == "href":
                assert value.startswith(("#", "https://", "http://")), value
            if name == "style":
                assert re.fullmatch(r"--share:\d\.\d{4}", value), value
        assert "src" not in element.attributes
        assert element.tag not in (
            "iframe",
            "object",
            "embed",
            "form",
            "base",
            "img",
            "link",
            "image",
        )
        if element.tag == "script" and element.attributes.get("type") != "application/json":
            if element.attributes.get("type") == "text/plain":
                assert re.fullmatch(r"[A-Za-z0-9+/]*=*", element.text)
            else:
                assert element.attributes["nonce"] == nonce[1]
    assert page.count(nonce[1]) == 1 + len(root.every("script", nonce=nonce[1]))
    return root


def data(root: Element, id_: str) -> Any:
    """The JSON in the script element of that id, packed or not."""
    element = root.one("script", id=id_)
    if element.attributes["type"] == "text/plain":
        return json.loads(gzip.decompress(base64.b64decode(element.text)))
    return json.loads(element.text)
