"""SVG pictures say what they show."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from archcost.report.svg import NAMESPACE, describe, xml_text


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, 0x85, 0xD800, 0xDFFF, 0xFFFD, 0xFFFE, 0xFFFF])
def test_xml_text_is_what_xml_can_hold(code: int) -> None:
    text = xml_text(f"a{chr(code)}b")
    root = ElementTree.fromstring(f"<t>{text}</t>")
    # A parser makes a line feed of a carriage return.
    assert root.text == text.replace("\r", "\n")
    assert (text[1] == "\ufffd") == (code not in (0x09, 0x0A, 0x0D, 0x7F, 0x85))


@pytest.mark.parametrize("tag", ["svg", f"{{{NAMESPACE}}}svg"])
def test_describe(tag: str) -> None:
    root = ElementTree.Element(tag)
    ElementTree.SubElement(root, tag.replace("svg", "g"))
    describe(root, title="A <net>", alt="b\x01", prefix="x-")
    assert [child.tag.rpartition("}")[2] for child in root] == ["title", "desc", "g"]
    assert [child.text for child in root] == ["A <net>", "b\ufffd", None]
    assert root.get("aria-labelledby") == "x-picture-title x-picture-desc"
    assert [child.get("id") for child in root][:2] == ["x-picture-title", "x-picture-desc"]


def test_a_picture_without_texts_is_an_image_still() -> None:
    root = ElementTree.Element("svg")
    describe(root)
    assert dict(root.attrib) == {"role": "img"}
