"""What every SVG picture has besides its shapes: text for those who do not see them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

NAMESPACE: Final = "http://www.w3.org/2000/svg"
PROLOG: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

# What XML 1.0 does not allow in a document, even escaped.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """``text`` with U+FFFD for each character that an XML document cannot hold."""
    return _NOT_XML.sub("\ufffd", text)


def describe(root: Element, *, title: str = "", alt: str = "", prefix: str = "") -> None:
    """Make ``<svg>`` an image with a name and a description, under ids that start with ``prefix``.

    They come first, where browsers and screen readers look for them; without a text there is none.
    """
    from xml.etree.ElementTree import Element

    # The root's own namespace, if it was parsed with one.
    space = root.tag.rpartition("svg")[0]
    texts = [(tag, text) for tag, text in (("title", title), ("desc", alt)) if text]
    for place, (tag, text) in enumerate(texts):
        element = Element(f"{space}{tag}", id=f"{prefix}picture-{tag}")
        element.text = xml_text(text)
        element.tail = "\n"
        root.insert(place, element)
    root.set("role", "img")
    if texts:
        root.set("aria-labelledby", " ".join(f"{prefix}picture-{tag}" for tag, _ in texts))
