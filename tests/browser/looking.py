"""What tests ask of any page: its tables, its colours, its names."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page

PHONE = {"width": 375, "height": 812}
VISIBLE = "(element) => element.checkVisibility()"


def column(page: Page, table: str, key: str) -> list[Any]:
    """The cells of a column, from the top, of the rows that are not filtered away: the numbers
    that they are sorted by, else their texts."""
    cells: list[Any] = page.evaluate(
        """([table, key]) => {
          const heads = [...document.querySelectorAll(`${table} thead th`)];
          const column = heads.findIndex((head) => head.dataset.key === key);
          const rows = [...document.querySelectorAll(`${table} tbody tr`)];
          const cells = rows.filter((row) => !row.hidden).map((row) => row.cells[column]);
          return cells.map((cell) => "v" in cell.dataset ? Number(cell.dataset.v)
            : cell.textContent.trim());
        }""",
        [table, key],
    )
    return cells


def order(page: Page, table: str, key: str) -> str | None:
    """How a column is sorted, as a screen reader is told."""
    return page.get_attribute(f"{table} th[data-key={key}]", "aria-sort")


def background(page: Page) -> str:
    """The colour of the page's ground."""
    color: str = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    return color


def brightness(color: str) -> float:
    """0 black, 1 white."""
    red, green, blue, *_ = (float(part) for part in re.findall(r"[\d.]+", color))
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def unnamed(page: Page) -> list[str]:
    """The controls that a screen reader has no name for."""
    found: list[str] = page.evaluate(
        "() => [...document.querySelectorAll('button, input, select, a')]"
        ".filter((e) => !e.textContent.trim() && !e.getAttribute('aria-label'))"
        ".filter((e) => !e.labels?.length)"
        ".map((e) => e.outerHTML.slice(0, 80))"
    )
    return found


def weak_texts(page: Page) -> dict[str, tuple[str, str]]:
    """Texts that differ too little from what is behind them: their colour and that behind them.

    WCAG 2 asks for 4.5 to 1 of small text, for 3 to 1 of signs. Pictures are left aside.
    """
    pairs = page.evaluate(
        """() => {
          const solid = (color) => color && !/, 0\\)$|transparent/.test(color);
          const behind = (element) => {
            for (let at = element; at; at = at.parentElement) {
              const color = getComputedStyle(at).backgroundColor;
              if (solid(color)) return color;
            }
            return "rgb(255, 255, 255)";
          };
          const found = [];
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const element = walker.currentNode.parentElement;
            const text = walker.currentNode.data.trim();
            if (!text || element.closest("svg, script, style")) continue;
            if (!element.checkVisibility()) continue;
            found.push([getComputedStyle(element).color, behind(element), text.slice(0, 40)]);
          }
          return found;
        }"""
    )
    return {
        text: (ink, ground)
        for ink, ground, text in pairs
        if contrast(ink, ground) < (4.5 if re.search(r"\w", text) else 3)
    }


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio of two colours ``rgb(r, g, b)``."""

    def luminance(color: str) -> float:
        parts = [float(part) / 255 for part in re.findall(r"[\d.]+", color)[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
