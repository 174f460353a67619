"""What `archcost operators` tells of the operators."""

from __future__ import annotations

import pytest

from archcost.ir.ops import OPERATORS, operator_class
from archcost.sources.zoo import libraries
from archcost.spec import SpecError, expand, parse
from archcost.spec.reference import operators


def test_every_operator_is_listed_once() -> None:
    names = sorted(name for entry in operators() for name in entry.names)
    assert names == sorted(name for name in OPERATORS if operator_class(name)[0].in_specs)
    assert not {"constant", "weight", "opaque"} & set(names)
    assert all(entry.summary for entry in operators())


def test_a_spec_has_no_operators_of_files_and_modules() -> None:
    head = "name: t\ninput: [3]\n"
    for name in ("constant", "weight", "opaque"):
        with pytest.raises(SpecError, match=f"no operator, block or structure '{name}'"):
            parse(f"{head}layers: [{name}: {{shape: [3]}}]\n", "t.yaml", libraries())
    block = "blocks: {weight: {layers: [relu]}}\n"
    assert len(expand(parse(f"{head}{block}layers: [weight]\n", "t.yaml", libraries()))) == 1
