"""The table of operators in docs/spec-language.md is what `archcost operators` prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from archcost.cli.main import main
from archcost.ir.ops import OPERATORS
from archcost.spec.reference import operators

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "spec-language.md"


def test_every_operator_is_listed_once() -> None:
    assert sorted(name for entry in operators() for name in entry.names) == sorted(OPERATORS)
    assert all(entry.summary for entry in operators())


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the documents are not part of an installation")
def test_document_has_the_table() -> None:
    """Mend with `make docs`."""
    printed = CliRunner().invoke(main, ["operators", "--format", "markdown"]).stdout
    text = DOCUMENT.read_text(encoding="utf-8")
    begin, end = "<!-- operators:begin -->\n", "<!-- operators:end -->"
    assert text[text.index(begin) + len(begin) : text.index(end)].strip() == printed.strip()
