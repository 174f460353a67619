"""What is wrong in a spec is said with file, line, column, what was found and what is expected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archcost.ir import ArchcostError, ShapeError
from archcost.sources.zoo import libraries
from archcost.spec import SpecError, expand, parse
from archcost.spec.document import Document
from archcost.spec.parse import (
    COMMON_KEYS,
    MERGES,
    SOURCE_KEYS,
    TOP_KEYS,
    VARIANT_KEYS,
    _Parser,
)

HEAD = "name: t\ninput: [3, 8, 8]\n"  # the text of a case that is indented begins on line 3

# text, place, parts of the message
CASES = [
    # the file
    ("layers: []", "1:1", "the spec has no 'name'"),
    ("name: t\ninput: [1]", "1:1", "the spec has no 'layers'"),
    ("- a", "1:1", "expected the spec, found a list"),
    ("word", "1:1", "expected the spec, found 'word'"),
    ("name: t\nlayers: []", "1:1", "expected one of 'input' and 'inputs'"),
    (HEAD + "inputs: {x: [1]}\nlayers: []", "1:1", "expected one of 'input' and 'inputs'"),
    (HEAD + "layer: []", "3:1", "the spec has no 'layer'; did you mean 'layers'?"),
    (HEAD + "layers: []\nlayers: []", "4:1", "'layers' stands twice in the spec"),
    ("name: a/b\ninput: [1]\nlayers: []", "1:7", "no '/'"),
    ("name: [a]\ninput: [1]\nlayers: []", "1:7", "expected the network's name, found a list"),
    ("name:\ninput: [1]\nlayers: []", "1:6", "expected the network's name, found nothing"),
    (HEAD + "layers: []\nyear: soon", "4:7", "expected a year, found 'soon'"),
    (HEAD + "layers: []\nyear: true", "4:7", "expected a year"),
    (HEAD + "layers: []\nsource: {year: 1}", "4:9", "a source has a title"),
    (HEAD + "layers: []\nsource: {titel: x}", "4:10", "did you mean 'title'?"),
    (HEAD + "layers: []\nnotes: word", "4:8", "expected a list of notes, found 'word'"),
    (HEAD + "layers: []\naliases: [a/b]", "4:11", "no '/'"),
    (HEAD + "layers: []\ntitle: $x", "4:8", "no parameter or variable 'x' in '$x'"),
    (HEAD + "layers: []\ntitle: a $", "4:8", "write $name or ${expression}"),
    # inputs
    ("name: t\ninput: 3\nlayers: []", "2:8", "expected a shape such as [3, 224, 224], found '3'"),
    ("name: t\ninput: [0]\nlayers: []", "2:8", "sizes are integers >= 1, found [0]"),
    ("name: t\ninput: [-3]\nlayers: []", "2:8", "sizes are integers >= 1, found [-3]"),
    ("name: t\ninput: [1.5]\nlayers: []", "2:8", "sizes are integers >= 1"),
    ("name: t\ninput: []\nlayers: []", "2:8", "sizes are integers >= 1, found []"),
    ("name: t\ninput: [2, a]\nlayers: []", "2:8", "sizes are integers >= 1"),
    ("name: t\ninput: [99999999, 99999999]\nlayers: []", "2:8", "is too large"),
    ("name: t\ninputs: {}\nlayers: []", "2:9", "expected at least one input"),
    ("name: t\ninputs: {x: {dtype: fp32}}\nlayers: []", "2:13", "an input has a shape"),
    (
        "name: t\ninputs: {x: {shape: [1], dtype: fp33}}\nlayers: []",
        "2:33",
        "no dtype 'fp33'; did you mean 'fp32'?",
    ),
    # parameters
    (HEAD + "parameters: {1a: 1}\nlayers: []", "3:14", "a parameter's name is a word"),
    (HEAD + "parameters: {if: 1}\nlayers: []", "3:14", "none of the language's own, found 'if'"),
    (HEAD + "parameters: {true: 1}\nlayers: []", "3:14", "none of the language's own"),
    (HEAD + "parameters: {é: 1}\nlayers: []", "3:14", "a parameter's name is a word"),
    (HEAD + "parameters: {a: {min: 1}}\nlayers: []", "3:17", "parameter 'a' has no default"),
    (HEAD + "parameters: {a: {default: 1, max: x}}\nlayers: []", "3:35", "max is a number"),
    (HEAD + "parameters: {a: {defualt: 1}}\nlayers: []", "3:18", "did you mean 'default'?"),
    (HEAD + "parameters: {a: {default: 1, min: 2}}\nlayers: []", "3:14", "is at least 2"),
    (
        HEAD + "parameters: {a: {default: 1, choices: [2]}}\nlayers: []",
        "3:14",
        "is one of 2; found",
    ),
    (HEAD + "parameters: {a: $b, b: 1}\nlayers: []", "3:17", "no parameter or variable 'b'"),
    (HEAD + "parameters: {a: 1 / $c}\nlayers: []", "3:17", "variable 'c' in '1 / $c'"),
    (HEAD + "parameters: {a: $1}\nlayers: []", "3:17", "a variable is written $name"),
    # blocks and libraries
    (HEAD + "use: [comon]\nlayers: []", "3:7", "no block library 'comon'; did you mean 'common'?"),
    (HEAD + "use: common\nlayers: []", "3:6", "expected a list of block libraries"),
    (HEAD + "use: [common, common]\nlayers: []", "3:15", "'common' stands twice in use"),
    (HEAD + "use: [../resnet]\nlayers: []", "3:7", "no block library"),
    (HEAD + "blocks: {conv: {layers: []}}\nlayers: []", "3:10", "'conv' is the language's own"),
    (HEAD + "blocks: {if: {layers: []}}\nlayers: []", "3:10", "'if' is the language's own"),
    (HEAD + "blocks: {a-b: {layers: []}}\nlayers: []", "3:10", "a block's name is a word"),
    (HEAD + "blocks: {b: {}}\nlayers: []", "3:13", "block 'b' has no layers"),
    (HEAD + "blocks: {b: {lairs: []}}\nlayers: []", "3:14", "block 'b' has no 'lairs'"),
    (
        HEAD + "blocks: {b: {parameters: {name: 1}, layers: []}}\nlayers: []",
        "3:27",
        "'name' is a key that every item has",
    ),
    (HEAD + "blocks: {b: {layers: [b]}}\nlayers: []", "3:10", "'b' uses itself: b -> b"),
    (
        HEAD + "blocks:\n  b: {layers: [c]}\n  c: {layers: [{scope: {name: x, layers: [b]}}]}\n"
        "layers: []",
        "4:3",
        "block 'b' uses itself: b -> c -> b",
    ),
    (
        HEAD + "blocks: {b: {parameters: {x: null}, layers: []}}\nlayers: [b]",
        "4:10",
        "b needs 'x'",
    ),
    (
        HEAD + "blocks: {b: {parameters: {x: 1}, layers: []}}\nlayers: [b: {y: 1}]",
        "4:14",
        "b has no 'y'",
    ),
    (HEAD + "blocks: {b: {layers: []}}\nlayers: [b: 3]", "4:13", "b takes no arguments"),
    (
        HEAD + "blocks: {b: {parameters: {x: {default: 1, max: 2}}, layers: []}}\nlayers: [b: 3]",
        "4:13",
        "parameter 'x' is at most 2",
    ),
    # items
    (HEAD + "layers: relu", "3:9", "expected a list of layers, found 'relu'"),
    (
        HEAD + "layers: [rleu]",
        "3:10",
        "no operator, block or structure 'rleu'; did you mean 'relu'?",
    ),
    (HEAD + "layers:\n  - Conv: 3", "4:5", "did you mean 'conv'?"),
    (HEAD + "layers: [qqqqqq]", "3:10", "there are: abs,"),
    (HEAD + "layers: ['']", "3:10", "no operator, block or structure ''"),
    (HEAD + "layers:\n  -\n", "4:4", "expected a layer, found nothing"),
    (HEAD + "layers: [[relu]]", "3:10", "expected a layer: a word, or a mapping with one key"),
    (HEAD + "layers: [{}]", "3:10", "a mapping with one key, found none"),
    (HEAD + "layers:\n  - conv: 3\n    out: 4", "4:5", "found 2 (conv, out); its arguments are"),
    (HEAD + "layers: [conv: {otu: 3}]", "3:17", "conv has no 'otu'; did you mean 'out'?"),
    (HEAD + "layers: [conv: {out: 3, out: 4}]", "3:25", "'out' stands twice in conv"),
    (HEAD + "layers: [conv]", "3:10", "conv needs 'out'"),
    (HEAD + "layers: [conv: {kernel: 3}]", "3:10", "conv needs 'out'"),
    (HEAD + "layers: [conv: {out: 0}]", "3:22", "conv: out: expected an integer >= 1, found 0"),
    (HEAD + "layers: [conv: {out: -1}]", "3:22", "expected an integer >= 1, found -1"),
    (HEAD + "layers: [conv: {out: big}]", "3:22", "expected an integer >= 1, found 'big'"),
    (HEAD + "layers: [conv: {out: [1, 2]}]", "3:22", "expected an integer >= 1, found [1, 2]"),
    (HEAD + "layers: [conv: {out: {a: 1}}]", "3:22", "expected a single value, found a mapping"),
    (HEAD + "layers: [conv: {out: 1, bias: 1}]", "3:31", "bias: expected true or false, found 1"),
    (HEAD + "layers: [conv: {out: 1, bias: no}]", "3:31", "expected true or false, found 'no'"),
    (HEAD + "layers: [conv: {out: 1, padding: sane}]", "3:34", "or same, found 'sane'"),
    (HEAD + "layers: [max_pool: {kernel: 2, rounding: up}]", "3:42", "one of floor, ceil"),
    (HEAD + "layers: [dropout: 1.5]", "3:19", "a number from 0 to 1, found 1.5"),
    (HEAD + "layers: [conv: {out: $x}]", "3:22", "no parameter or variable 'x' in '$x'"),
    (HEAD + "layers: [conv: {out: 1 / $w}]", "3:22", "no parameter or variable 'w'"),
    (
        HEAD + "parameters: {width: 4}\nlayers: [conv: {out: $widht}]",
        "4:22",
        "no parameter or variable 'widht' in '$widht'; did you mean 'width'?",
    ),
    (
        HEAD + "parameters: {w: 0}\nlayers: [conv: {out: 1 // $w}]",
        "4:22",
        "divides by zero (w = 0)",
    ),
    (HEAD + "parameters: {w: 0}\nlayers: [conv: {out: $w}]", "4:22", "an integer >= 1, found 0"),
    (HEAD + "layers: [relu: {name: $x}]", "3:23", "no parameter or variable 'x'"),
    (HEAD + "layers: [relu: {name: '${1 / 0}'}]", "3:23", "divides by zero"),
    (HEAD + "layers: [relu: {name: [a]}]", "3:23", "expected a name, found a list"),
    (HEAD + "layers: [relu: {name: ''}]", "3:23", "an operator's name is not empty"),
    (HEAD + 'layers: [relu: {name: "a\\eb"}]', "3:10", "a name is printable"),
    (
        HEAD + f"layers: [relu: {{name: {'a' * 501}}}]",
        "3:10",
        "a name of 501 characters, at most 500",
    ),
    (HEAD + "layers: [relu: {when: cifar}]", "3:23", "true or false, found the word 'cifar'"),
    (HEAD + "layers: [relu: {from: x}]", "3:23", "no label 'x' here"),
    (HEAD + "layers: [relu: {as: skip}, relu: {from: skpi}]", "3:41", "did you mean 'skip'?"),
    (HEAD + "layers: [relu: {as: [x, y]}]", "3:22", "2 labels for 1 outputs"),
    (HEAD + "layers: [relu: {as: input}]", "3:21", "'input' is no label: it means an input"),
    (HEAD + "layers: [relu: {as: .}]", "3:21", "'.' is no label: it means the value before"),
    (
        HEAD + "layers: [scope: {name: s, layers: [], from: [., .]}]",
        "3:46",
        "only an operator takes several inputs",
    ),
    (HEAD + "layers: [relu: {name: a}, relu: {name: a}]", "3:27", "two nodes are named 'a'"),
    # structures
    (HEAD + "layers: [repeat]", "3:10", "repeat needs a mapping of its arguments"),
    (HEAD + "layers: [scope: 3]", "3:17", "scope needs a mapping of its arguments"),
    (HEAD + "layers: [scope: {layers: []}]", "3:10", "scope needs 'name'"),
    (HEAD + "layers: [repeat: {times: 3}]", "3:10", "repeat needs 'layers'"),
    (HEAD + "layers: [repeat: {layers: []}]", "3:10", "repeat needs one of 'times' and 'each'"),
    (
        HEAD + "layers: [repeat: {layers: [], times: 1, each: {a: [1]}}]",
        "3:10",
        "repeat needs one of 'times' and 'each'",
    ),
    (HEAD + "layers: [dense: {layers: []}]", "3:10", "dense needs 'times'"),
    (HEAD + "layers: [repeat: {layers: [], times: -1}]", "3:38", "an integer >= 0, found -1"),
    (HEAD + "layers: [repeat: {layers: [], times: 1.5}]", "3:38", "an integer >= 0, found 1.5"),
    (HEAD + "layers: [repeat: {layers: [], times: true}]", "3:38", "an integer >= 0, found True"),
    (HEAD + "layers: [repeat: {layers: [], times: 1000000000}]", "3:38", "at most 250000"),
    (HEAD + "layers: [repeat: {layers: [], each: {}}]", "3:37", "each needs a variable"),
    (HEAD + "layers: [repeat: {layers: [], each: {a: 3}}]", "3:41", "each 'a' is a list, found 3"),
    (
        HEAD + "layers: [repeat: {layers: [], each: {a: [1], b: [1, 2]}}]",
        "3:10",
        "the lists of each differ in length: a has 1, b has 2",
    ),
    (HEAD + "layers: [repeat: {layers: [], times: 1, index: for}]", "3:48", "a variable's name"),
    (HEAD + "layers: [parallel: {branches: []}]", "3:31", "parallel needs at least one branch"),
    (HEAD + "layers: [parallel: {branches: x}]", "3:31", "expected a mapping of names to lists"),
    (
        HEAD + "layers: [parallel: {branches: [[]], merge: summ}]",
        "3:44",
        "no merge 'summ'; did you mean 'sum'?",
    ),
    (HEAD + "layers: [residual: {shortcut: []}]", "3:10", "residual needs 'layers'"),
    (HEAD + "layers: [if: true]", "3:10", "if needs 'then'"),
    (HEAD + "layers: [{if: true, then: [], name: x}]", "3:31", "if has no 'name'"),
    (HEAD + "layers: [{if: yes, then: []}]", "3:15", "found the word 'yes'"),
    (HEAD + "layers: [head: {layers: []}]", "3:10", "head needs 'name'"),
    (HEAD + "layers: [graph_output: {}]", "3:10", "graph_output needs 'name'"),
    (HEAD + "layers: [graph_output: {name: ''}]", "3:31", "an output's name is not empty"),
    (
        HEAD + "layers: [graph_output: {name: a}, graph_output: {name: a}]",
        "3:35",
        "two outputs are named 'a'",
    ),
    (
        HEAD + "parameters: {w: {default: [1], length: 0}}\nlayers: []",
        "3:40",
        "length is an integer >= 1",
    ),
    (
        HEAD + "parameters: {w: {default: [1], length: 2}}\nlayers: []",
        "3:14",
        "parameter 'w' has 2 entries, found 1",
    ),
    # variants
    (
        HEAD + "parameters: {w: 1}\nlayers: []\nvariants: {u: {layers: [], set: {w: 2}}}",
        "5:37",
        "variant 'u' sets 'w', which it does not use",
    ),
    (
        HEAD + "layers: []\nvariants: {u: {input: [1], inputs: {a: [1]}}}",
        "4:15",
        "expected one of 'input' and 'inputs'",
    ),
    (HEAD + "layers: []\nvariants: {u: {layers: [cnv]}}", "4:25", "did you mean 'conv'?"),
    (HEAD + "layers: []\nvariants: {t: {}}", "4:12", "'t' is the network's own name"),
    (HEAD + "layers: []\nvariants: {u: {sett: {}}}", "4:16", "did you mean 'set'?"),
    (
        HEAD + "parameters: {width: 1}\nlayers: []\nvariants: {u: {set: {wdth: 1}}}",
        "5:22",
        "no parameter 'wdth'; did you mean 'width'?",
    ),
    (
        HEAD + "parameters: {w: 1}\nlayers: []\nvariants: {u: {set: {w: {a: 1}}}}",
        "5:25",
        "gives no number, text or list",
    ),
    # YAML
    (HEAD + "layers: [\n", "4:1", "not YAML"),
    (HEAD + "layers:\n\t- relu", "4:1", "not YAML: found character that cannot start any token"),
    (HEAD + "layers: [*x]", "3:10", "no anchor 'x'"),
    (HEAD + "layers: &x [*x]", "3:13", "*x refers to itself"),
    (
        HEAD + "layers: []\nnotes: [!!python/object/apply:os.system [ls]]",
        "4:9",
        "is not allowed: a spec is plain data",
    ),
    (HEAD + "layers: []\n---\nname: u", "4:1", "a second document begins"),
]


def read(text):
    return parse(text, "net.yaml", libraries())


@pytest.mark.parametrize(("text", "place", "message"), CASES, ids=range(len(CASES)))
def test_errors(text, place, message):
    with pytest.raises(SpecError) as caught:
        expand(read(text))
    assert str(caught.value).startswith(f"net.yaml:{place}: ")
    assert message in str(caught.value)
    mark = caught.value.mark
    assert str(mark) == f"net.yaml:{place}"


def test_a_shape_that_does_not_fit():
    text = HEAD + "layers:\n  - flatten\n  - scope: {name: s, layers: [conv: {out: 4}]}"
    with pytest.raises(ShapeError) as caught:
        expand(read(text))
    error = caught.value
    assert error.source == "net.yaml:5:31"
    assert error.node == "s/conv"
    assert [type_.shape for type_ in error.inputs] == [(1, 192)]
    assert str(error).startswith("net.yaml:5:31: node 's/conv': ")
    assert error.needs in str(error)
    assert "1x192" in str(error)


@pytest.mark.parametrize(
    ("layers", "place"),
    [
        ("[conv: {out: 4, kernel: 9}]", "3:10"),  # larger than its input
        ("[conv: {out: 4, groups: 2}]", "3:10"),
        ("[conv: {out: 3, as: x}, max_pool: {kernel: 2}, sum: {from: [., x]}]", "3:56"),
        ("[residual: {layers: [conv: {out: 4}]}]", "3:10"),
        ("[sum]", "3:10"),
        ("[conv: {out: 4, share: a}, conv: {out: 4, share: a}]", "3:36"),
    ],
)
def test_shape_errors_have_their_place(layers, place):
    with pytest.raises(ShapeError) as caught:
        expand(read(HEAD + f"layers: {layers}"))
    assert str(caught.value).startswith(f"net.yaml:{place}: node ")


def test_messages_stay_short():
    for text in (
        HEAD + "layers: [" + "a" * 100_000 + "]",
        HEAD + "layers: [{? " + "a" * 100_000 + " : 1}]",
        HEAD + "layers: [relu: {from: " + "a" * 100_000 + "}]",
        HEAD + "layers: [conv: {out: " + "a" * 100_000 + "}]",
        HEAD + "layers: [conv: {out: $" + "a" * 100_000 + "}]",
        HEAD + "use: [" + "a" * 100_000 + "]\nlayers: []",
        HEAD + "layers: [conv: {out: [" + "1," * 10_000 + "]}]",
    ):
        with pytest.raises(ArchcostError) as caught:
            expand(read(text))
        assert len(str(caught.value)) < 600


# --- the document -------------------------------------------------------------------------------

GUIDE = Path(__file__).parents[2] / "docs" / "spec-language.md"
needs_guide = pytest.mark.skipif(not GUIDE.exists(), reason="the documents are not installed")


def table_keys(heading):
    """The words in backticks at the beginning of each row of the first table after a heading."""
    section = GUIDE.read_text(encoding="utf-8").split(f"\n{heading}\n")[1]
    table = section[section.index("\n| ") :].split("\n\n")[0]
    rows = [line.split("|")[1] for line in table.strip().splitlines()[2:]]
    return [key for row in rows for key in re.findall(r"`(\w+)", row)]


@needs_guide
def test_the_guide_has_every_key():
    assert sorted(table_keys("## A file")) == sorted(TOP_KEYS)
    assert sorted(table_keys("## Items")) == sorted([*COMMON_KEYS, "share"])
    structures = _Parser(Document("x", "x"), libraries()).structures
    assert set(table_keys("### Structures")) == {*structures, "if", "then", "else"}
    guide = GUIDE.read_text(encoding="utf-8")
    row = next(line for line in guide.splitlines() if line.startswith("| `variants`"))
    for key in VARIANT_KEYS:
        assert key in re.findall(r"\w+", row), key
    row = next(line for line in guide.splitlines() if line.startswith("| `source`"))
    for key in SOURCE_KEYS:
        assert f"`{key}`" in row
    row = next(line for line in guide.splitlines() if line.startswith("| `parallel"))
    for merge in MERGES:
        assert f"`{merge}`" in row


@needs_guide
def test_the_guide_s_example():
    example = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[1]
    spec = parse(example, "tinynet.yaml", libraries())
    assert spec.names == ("tinynet", "tinynet-wide")
    assert spec.about["family"] == "tinynet"
    graph = expand(spec)
    names = [node.name for node in graph]
    assert names[:9] == [
        "stem/conv",
        "stem/batch_norm",
        "stem/relu",
        "stage1/a/conv",
        "stage1/a/batch_norm",
        "stage1/a/relu",
        "stage1/b",
        "stage1/projection",
        "stage1/sum",
    ]
    assert names[-3:] == ["global_avg_pool", "flatten", "fc"]
    assert graph.node("stage3/sum").outputs[0].shape == (1, 128, 4, 4)
    assert graph.outputs[0].shape == (1, 10)
    # 3x3 convolutions without bias, batch norms; b with bias; 1x1 projections with bias; fc
    params = 3 * 16 * 9 + 32
    for before, after in ((16, 32), (32, 64), (64, 128)):
        params += before * after * 9 + 2 * after
        params += after * after * 9 + after
        params += before * after + after
    params += 128 * 10 + 10
    assert sum(p.numel for p in graph.parameters if p.trainable) == params
    wide = expand(spec, "tinynet-wide")
    assert wide.metadata["title"] == "TinyNet (wide)"
    assert wide.node("stem/conv").outputs[0].shape == (1, 64, 32, 32)
    assert expand(spec, settings={"width": 32}).metadata["parameters"] == {
        "classes": 10,
        "width": 32,
    }
