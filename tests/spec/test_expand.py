"""What the items of a spec become: the graphs that their definitions say."""

from __future__ import annotations

import time

import pytest

from archcost.analysis import analyze
from archcost.ir import ArchcostError, ShapeError
from archcost.sources.zoo import libraries
from archcost.spec import SpecError, expand, parse

HEAD = "name: t\ninput: [3, 8, 8]\n"


def build(text, name=None, settings=None, **options):
    return expand(parse(HEAD + text, "t.yaml", libraries()), name, settings, **options)


def names(graph):
    return [node.name for node in graph]


def shapes(graph):
    return [value.shape for value in graph.outputs]


def params(graph):
    return sum(p.numel for p in graph.parameters if p.trainable)


# --- names --------------------------------------------------------------------------------------


def test_default_names_are_numbered_in_each_scope():
    graph = build("layers: [relu, relu, {scope: {name: s, layers: [relu, relu]}}, relu]")
    assert names(graph) == ["relu", "relu_2", "s/relu", "s/relu_2", "relu_3"]


def test_blocks_are_numbered_and_may_open_no_scope():
    graph = build("blocks: {b: {layers: [relu]}}\nlayers: [b, b, {b: {name: x}}, {b: {name: ''}}]")
    assert names(graph) == ["b/relu", "b_2/relu", "x/relu", "relu"]


def test_repeat():
    graph = build("layers: [repeat: {times: 2, layers: [relu]}]")
    assert names(graph) == ["1/relu", "2/relu"]
    graph = build("layers: [repeat: {times: 2, index: i, name: s$i, layers: [relu: {name: r$i}]}]")
    assert names(graph) == ["s1/r1", "s2/r2"]
    assert names(build("layers: [repeat: {times: 0, layers: [relu]}]")) == []


def test_each_goes_in_step():
    graph = build(
        "layers: [repeat: {each: {n: [1, 2], w: [4, 8]}, name: '', index: i,"
        " layers: [conv: {name: 'c$n-$i', out: $w}]}]"
    )
    assert names(graph) == ["c1-1", "c2-2"]
    assert [node.outputs[0].shape[1] for node in graph] == [4, 8]


def test_nested_loops_see_the_outer_variables():
    graph = build(
        "layers: [repeat: {times: 2, index: i, name: a$i, layers: ["
        "repeat: {times: $i, index: j, name: b$i$j, layers: [relu]}]}]"
    )
    assert names(graph) == ["a1/b11/relu", "a2/b21/relu", "a2/b22/relu"]


def test_values_in_names_are_spelled_as_in_a_spec():
    graph = build(
        "layers: [repeat: {each: {x: [true, null, 2, 0.5]}, name: 'x$x', layers: [relu]}]"
    )
    assert names(graph) == ["xtrue/relu", "xnull/relu", "x2/relu", "x0.5/relu"]


# --- structures ---------------------------------------------------------------------------------


def test_parallel():
    graph = build(
        "layers: [parallel: {branches: {a: [conv: {out: 4}], b: [conv: {out: 5}], c: []}}]"
    )
    assert names(graph) == ["a/conv", "b/conv", "concat"]
    assert shapes(graph) == [(1, 12, 8, 8)]
    graph = build("layers: [parallel: {name: p, branches: [[relu], [relu], []], merge: maximum}]")
    assert names(graph) == ["p/relu", "p/relu_2", "p/maximum"]
    (x,) = graph.inputs
    assert graph.node("p/maximum").inputs == (
        *graph.node("p/relu").outputs,
        *graph.node("p/relu_2").outputs,
        x,
    )


def test_one_branch_needs_no_merge():
    assert names(build("layers: [parallel: {branches: [[relu]]}]")) == ["relu"]


def test_residual():
    graph = build("layers: [residual: {layers: [conv: {out: 3}]}]")
    assert names(graph) == ["conv", "sum"]
    assert graph.node("sum").inputs == (*graph.node("conv").outputs, *graph.inputs)
    graph = build(
        "layers: [residual: {name: r, layers: [conv: {out: 4}],"
        " shortcut: [conv: {name: p, out: 4}], merge: product}]"
    )
    assert names(graph) == ["r/conv", "r/p", "r/product"]


def test_dense_grows():
    graph = build("layers: [dense: {times: 3, name: l$i, index: i, layers: [conv: {out: 5}]}]")
    assert names(graph) == ["l1/conv", "l1/concat", "l2/conv", "l2/concat", "l3/conv", "l3/concat"]
    assert [node.inputs[0].shape[1] for node in graph if node.op.kind == "conv"] == [3, 8, 13]
    assert shapes(graph) == [(1, 18, 8, 8)]


@pytest.mark.parametrize(("flag", "expected"), [("true", ["relu"]), ("false", ["tanh"])])
def test_if(flag, expected):
    text = "parameters: {f: true}\nlayers: [{if: $f, then: [relu], else: [tanh]}]"
    assert names(build(text, settings={"f": flag == "true"})) == expected


def test_if_without_else_passes_on():
    assert names(build("layers: [{if: false, then: [relu]}]")) == []


def test_when():
    graph = build("parameters: {n: 2}\nlayers: [relu: {when: $n > 2}, tanh: {when: $n == 2}]")
    assert names(graph) == ["tanh"]
    assert graph.node("tanh").inputs == graph.inputs


def test_heads_and_graph_outputs():
    graph = build(
        "layers: [relu: {as: x}, head: {name: aux, layers: [flatten, linear: 7]},"
        " graph_output: {name: features}, tanh, head: {name: late, from: x, layers: [flatten]}]"
    )
    assert list(graph.named_outputs) == ["output", "aux", "features", "late"]
    assert shapes(graph) == [(1, 3, 8, 8), (1, 7), (1, 3, 8, 8), (1, 192)]
    assert graph.node("tanh").inputs == graph.node("relu").outputs
    assert names(graph)[1:3] == ["aux/flatten", "aux/linear"]


# --- labels -------------------------------------------------------------------------------------


def test_from_and_as():
    graph = build(
        "layers: [relu: {as: a}, tanh, sum: {from: [a, ., input]},"
        " sigmoid: {from: a}, abs: {from: input}]"
    )
    assert graph.node("sum").inputs == (
        *graph.node("relu").outputs,
        *graph.node("tanh").outputs,
        *graph.inputs,
    )
    assert graph.node("sigmoid").inputs == graph.node("relu").outputs
    assert graph.node("abs").inputs == graph.inputs


def test_several_outputs():
    graph = build(
        "layers: [max_pool: {kernel: 2, stride: 2, indices: true, as: [y, where]}, relu,"
        " max_unpool: {kernel: 2, stride: 2, from: [., where]}]"
    )
    pool, unpool = graph.node("max_pool"), graph.node("max_unpool")
    assert len(pool.outputs) == 2
    assert unpool.inputs == (*graph.node("relu").outputs, pool.outputs[1])


def test_labels_with_variables():
    graph = build(
        "layers: [repeat: {times: 2, index: i, name: '',"
        " layers: [conv: {name: c$i, out: $i + 1, as: c$i}]},"
        " concat: {from: [c1, c2]}]"
    )
    assert shapes(graph) == [(1, 5, 8, 8)]


def test_labels_stay_in_their_block():
    text = "blocks: {b: {layers: [relu: {as: x}]}}\nlayers: [b, tanh: {from: x}]"
    with pytest.raises(SpecError, match="no label 'x' here"):
        build(text)
    text = "blocks: {b: {layers: [tanh: {from: x}]}}\nlayers: [relu: {as: x}, b]"
    with pytest.raises(SpecError, match="no label 'x' here"):
        build(text)
    with pytest.raises(SpecError, match="no label 'x' here"):
        build("layers: [head: {name: h, layers: [relu: {as: x}]}, tanh: {from: x}]")


# --- shared parameters --------------------------------------------------------------------------


def test_shared_parameters_count_once():
    graph = build(
        "layers: [repeat: {times: 4, layers:"
        " [conv: {out: 3, kernel: 3, padding: 1, share: w}, relu]}]"
    )
    assert params(graph) == 3 * 3 * 9 + 3
    convs = [node for node in graph if node.op.kind == "conv"]
    assert len({node.parameters for node in convs}) == 1
    assert sum(node.application.macs for node in convs) == 4 * 64 * 3 * 3 * 9
    assert params(graph.with_batch(3)) == params(graph)


def test_share_with_variables():
    graph = build(
        "layers: [repeat: {times: 4, index: i, layers: [conv: {out: 3, share: 'w${$i % 2}'}]}]"
    )
    assert params(graph) == 2 * (3 * 3 + 3)


# --- inputs -------------------------------------------------------------------------------------


def test_named_inputs():
    text = (
        "name: t\ninputs: {image: [3, 8, 8], words: {shape: [5], dtype: int64},"
        " y: {shape: [3, 8, 8]}}\n"
        "layers: [embedding: {count: 9, width: 4, dtype: fp16, from: words}, flatten: {as: e},"
        " sum: {from: [image, y]}, flatten, concat: {from: [., e]}]"
    )
    graph = expand(parse(text, "t.yaml", libraries()), batch=2, dtype="fp16")
    assert [(v.name, v.shape, v.type.dtype) for v in graph.inputs] == [
        ("image", (2, 3, 8, 8), "fp16"),
        ("words", (2, 5), "int64"),
        ("y", (2, 3, 8, 8), "fp16"),
    ]
    assert shapes(graph) == [(2, 192 + 20)]


def test_inputs_may_be_expressions_and_overridden():
    spec = parse(
        "name: t\nparameters: {r: 8}\ninput: [3, $r, '$r * 2']\nlayers: [relu]", "t", libraries()
    )
    assert shapes(expand(spec)) == [(1, 3, 8, 16)]
    assert shapes(expand(spec, settings={"r": 4})) == [(1, 3, 4, 8)]
    assert shapes(expand(spec, inputs=[(1, 5, 5)], batch=7)) == [(7, 1, 5, 5)]


@pytest.mark.parametrize(
    "options",
    [
        {"batch": 0},
        {"batch": -1},
        {"batch": 1.5},
        {"batch": True},
        {"batch": 2**60},
        {"batch": 10**5000},
        {"dtype": "fp31"},
        {"dtype": "int8"},
        {"inputs": []},
        {"inputs": [(3, 8, 8), (3, 8, 8)]},
        {"inputs": [()]},
        {"inputs": [(3, 0)]},
        {"inputs": [(3, 8.0)]},
        {"inputs": [(3, True)]},
        {"inputs": [(1,) * 9]},
        {"inputs": [(2**31, 2**31)]},
        {"name": "u"},
        {"settings": {"x": 1}},
    ],
)
def test_wrong_options(options):
    with pytest.raises(SpecError):
        build("layers: [relu]", **options)


# --- blocks -------------------------------------------------------------------------------------


def test_defaults_use_earlier_parameters_and_the_network_s():
    text = (
        "parameters: {w: 2}\nblocks:\n  b:\n"
        "    parameters: {out: null, k: 3, padding: $k // 2, inner: $out * $w}\n"
        "    layers: [conv: {out: $inner, kernel: $k, padding: $padding}, conv: {out: $out}]\n"
        "layers: [b: 4, b: {out: 5, k: 5}, b: {out: 6, k: 1, inner: 7}]"
    )
    graph = build(text)
    assert [n.outputs[0].shape[1] for n in graph] == [8, 4, 10, 5, 7, 6]
    assert {n.outputs[0].shape[2:] for n in graph} == {(8, 8)}
    assert build(text, settings={"w": 3}).nodes[0].outputs[0].shape[1] == 12


def test_a_default_of_null():
    text = (
        "blocks: {b: {parameters: {out: null, g: {default: null}}, layers: ["
        "conv: {out: $out, when: $g == null}, conv: {out: 9, when: $g != null}]}}\n"
        "layers: [b: 4, b: {out: 4, g: 1}]"
    )
    assert [n.outputs[0].shape[1] for n in build(text)] == [4, 9]


def test_arguments_that_are_equal_but_not_the_same():
    text = (
        "blocks: {b: {parameters: {x: null}, layers: [relu: {name: n$x}]}}\n"
        "layers: [repeat: {each: {x: [1, true, 1.0]}, layers: [b: {x: $x}]}]"
    )
    assert names(build(text)) == ["1/b/n1", "2/b/ntrue", "3/b/n1.0"]
    with pytest.raises(SpecError, match="bias: expected true or false, found 1"):
        build("layers: [repeat: {each: {x: [true, 1]}, layers: [conv: {out: 1, bias: $x}]}]")


def test_a_library_keeps_its_blocks():
    own = "use: [common]\nblocks: {conv_bn: {parameters: {foo: null}, layers: [relu]}}\n"
    graph = build(own + "layers: [conv_bn_relu: 4, conv_bn: 1]")
    assert names(graph) == [
        "conv_bn_relu/conv",
        "conv_bn_relu/bn",
        "conv_bn_relu/relu",
        "conv_bn/relu",
    ]


# --- settings, variants -------------------------------------------------------------------------

SETTINGS = (
    "parameters: {i: 0, f: 1.0, b: false, w: word, l: [1, 2], n: null,"
    " m: {default: 3, min: 1, max: 5}, lm: {default: [1], min: 1},"
    " c: {default: a, choices: [a, b]}, lf: [0, 0.5], l3: {default: [1, 2, 3], length: 3},"
    " ll: {default: [[1]], min: 1}}\nlayers: []"
)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"i": 4}, 4),
        ({"f": 2}, 2.0),
        ({"f": 0.5}, 0.5),
        ({"b": True}, True),
        ({"w": "x"}, "x"),
        ({"l": [1, 1, 2]}, (1, 1, 2)),
        ({"n": ((1, [2]),)}, ((1, (2,)),)),
        ({"lf": [1, 0.5]}, (1.0, 0.5)),
        ({"l3": [4, 5, 6]}, (4, 5, 6)),
        ({"ll": [[1], [2, 3]]}, ((1,), (2, 3))),
        ({"n": [1.5]}, (1.5,)),
        ({"m": 5}, 5),
        ({"c": "b"}, "b"),
    ],
)
def test_settings(given, kept):
    ((name, _),) = given.items()
    found = build(SETTINGS, settings=given).metadata["parameters"][name]
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"i": 0.2}, "'i' needs an integer, found 0.2"),
        ({"l": []}, "'l' needs at least one entry"),
        ({"l": [1, "x"]}, "each entry of parameter 'l' is an integer, found x"),
        ({"l": [1, 2.5]}, "each entry of parameter 'l' is an integer, found 2.5"),
        ({"l": [[1]]}, "each entry of parameter 'l' is an integer, found [1]"),
        ({"lf": [True]}, "each entry of parameter 'lf' is a number, found true"),
        ({"l3": [1, 2]}, "'l3' has 3 entries, found 2"),
        ({"l3": [1, 2, 3, 4]}, "'l3' has 3 entries, found 4"),
        ({"ll": [1]}, "each entry of parameter 'll' is a list, found 1"),
        ({"ll": [[1], [0]]}, "'ll' is at least 1"),
        ({"i": True}, "'i' needs an integer, found true"),
        ({"i": "x"}, "'i' needs an integer, found x"),
        ({"i": None}, "'i' needs an integer, found null"),
        ({"f": "x"}, "'f' needs a number, found x"),
        ({"f": True}, "'f' needs a number, found true"),
        ({"b": 1}, "'b' needs true or false, found 1"),
        ({"w": 1.1}, "'w' needs a word, found 1.1"),
        ({"l": 3}, "'l' needs a list, found 3"),
        ({"m": 0}, "'m' is at least 1"),
        ({"m": 6}, "'m' is at most 5"),
        ({"lm": [1, 0]}, "'lm' is at least 1"),
        ({"c": "d"}, "'c' is one of a, b; found d"),
        ({"n": {"a": 1}}, "'n': gives no number, text or list"),
        ({"n": float("nan")}, "not finite"),
        ({"f": float("inf")}, "not finite"),
        ({"f": 10**400}, "beyond 2^53"),
        ({"i": 10**5000}, "beyond 2^53"),
        ({"l": [1] * 10_001}, "10001 entries"),
        ({"w": "x" * 100_000}, "100000 characters"),
        ({"mm": 1}, "t has no parameter 'mm'; did you mean 'm'?"),
        ({3: 1}, "t has no parameter '3'"),
    ],
)
def test_wrong_settings(given, message):
    with pytest.raises(SpecError) as caught:
        build(SETTINGS, settings=given)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_list_that_holds_itself():
    endless = []
    endless.append(endless)
    with pytest.raises(SpecError, match="nested more than"):
        build(SETTINGS, settings={"l": endless})


def test_variants():
    text = (
        "title: T of $w\nyear: 2000\ndataset: D\nnotes: [one]\naliases: [tee]\nsource: {title: S}\n"
        "parameters: {w: 4, v: $w * 2}\nlayers: [conv: {out: $w}, conv: {out: $v}]\n"
        "variants:\n"
        "  u: {set: {w: 5}, aliases: [you], notes: [two, three], input: [1, 4, 4]}\n"
        "  x: {title: X, year: 2001, set: {v: 1}, inputs: {z: [2, 2, 2]}}"
    )
    spec = parse(HEAD + text, "t.yaml", libraries())
    graphs = [expand(spec, name) for name in ("t", "u", "x")]
    assert [g.name for g in graphs] == ["t", "u", "x"]
    assert [g.metadata["title"] for g in graphs] == ["T of 4", "T of 5", "X"]
    assert [g.metadata["year"] for g in graphs] == [2000, 2000, 2001]
    assert [g.metadata["notes"] for g in graphs] == [
        ("one",),
        ("one", "two", "three"),
        ("one",),
    ]
    assert [spec.aliases(name) for name in spec.names] == [("tee",), ("you",), ()]
    assert [g.inputs[0].shape for g in graphs] == [(1, 3, 8, 8), (1, 1, 4, 4), (1, 2, 2, 2)]
    assert [shapes(g)[0][1] for g in graphs] == [8, 10, 1]
    assert expand(spec, "u", {"w": 6}).metadata["parameters"] == {"w": 6, "v": 12}


OWN_LAYERS = """parameters: {w: 4, v: $w * 2, kernel: 3, depth: 1}
blocks:
  b:
    parameters: {out: null, kernel: $kernel}
    layers: [conv: {out: $out, kernel: $kernel, padding: 1}]
layers: [b: {out: 2}]
variants:
  u: {layers: [repeat: {times: $depth, layers: [conv: {out: $v}]}]}
  x: {set: {kernel: 1}}
"""


def test_a_variant_with_layers_of_its_own():
    spec = parse(HEAD + OWN_LAYERS, "t.yaml", libraries())
    assert [names(expand(spec, name)) for name in spec.names] == [
        ["b/conv"],
        ["1/conv"],
        ["b/conv"],
    ]
    assert shapes(expand(spec, "u"))[0][1] == 8


def test_notes_of_a_variant_with_layers_of_its_own():
    text = (
        "notes: [one]\nlayers: []\n"
        "variants: {u: {layers: [], notes: [two]}, v: {layers: []}, w: {notes: [three]}}"
    )
    spec = parse(HEAD + text, "t.yaml", libraries())
    notes = [expand(spec, name).metadata["notes"] for name in spec.names]
    assert notes == [("one",), ("two",), ("one",), ("one", "three")]


def test_a_network_has_the_parameters_that_it_uses():
    spec = parse(HEAD + OWN_LAYERS, "t.yaml", libraries())
    used = {name: list(spec.parameters(name)) for name in spec.names}
    assert used == {"t": ["kernel"], "u": ["w", "v", "depth"], "x": ["kernel"]}
    for name, parameters in used.items():
        assert list(expand(spec, name).metadata["parameters"]) == parameters
    assert shapes(expand(spec, "u", {"w": 5}))[0][1] == 10
    with pytest.raises(SpecError, match="^u has no parameter 'kernel'"):
        expand(spec, "u", {"kernel": 1})
    with pytest.raises(SpecError, match="^t has no parameter 'dept'"):
        expand(spec, "t", {"dept": 1})


def test_the_author_of_a_spec_is_told_how_to_take_decimals():
    text = "parameters: {w: 4}\nlayers: []\nvariants: {u: {set: {w: 0.5}}}"
    with pytest.raises(SpecError, match=r"is an integer; for decimals write 4\.0\)$"):
        build(text, "u")


def test_a_condition_is_given_no_hint_of_decimals():
    with pytest.raises(SpecError, match=r"'b' needs true or false, found 0\.5$"):
        build(SETTINGS, settings={"b": 0.5})


def test_an_input_that_does_not_fit_is_one_of_the_variant():
    text = "layers: []\nvariants: {u: {input: [4]}}"
    spec = parse(HEAD + text, "t.yaml", libraries())
    with pytest.raises(SpecError, match="^u: the shape of 'input' has 1 size without the batch"):
        expand(spec, "u", inputs=[(3, 8, 8)])
    with pytest.raises(SpecError, match="^u has 1 input, 2 given"):
        expand(spec, "u", inputs=[(4,), (4,)])


BLOCKS_USE = """parameters: {kernel: 3, k: 1, i: 2, n: 2, a: 1}
blocks:
  inner: {layers: [conv: {out: 4, kernel: $kernel, padding: 3}]}
  outer:
    parameters: {kernel: 1, size: $k}
    layers: [conv: {out: 2, kernel: $kernel}, inner]
layers: [outer]
variants:
  given: {layers: [outer: {size: 5}]}
  loop: {layers: [repeat: {index: i, times: $n, name: l$i, layers: [conv: {out: $i}]}]}
  each: {layers: [repeat: {each: {n: "[$n, 1]"}, layers: [conv: {out: $n}]}]}
"""


def test_what_blocks_and_loops_hide_is_not_used():
    """A block sees the file's parameters whatever is around its use; a default counts where the
    argument is not given; a loop's variable hides the parameter of its name inside the loop."""
    spec = parse(HEAD + BLOCKS_USE, "t.yaml", libraries())
    assert {name: list(spec.parameters(name)) for name in spec.names} == {
        "t": ["kernel", "k"],
        "given": ["kernel"],
        "loop": ["n"],
        "each": ["n"],
    }
    for name in spec.names:
        assert list(expand(spec, name).metadata["parameters"]) == list(spec.parameters(name))


def test_a_network_does_not_fail_on_a_parameter_that_it_has_not():
    text = (
        "parameters: {a: 2, b: 8 // (4 - $a)}\nlayers: [conv: {out: $b}]\n"
        "variants: {u: {layers: [conv: {out: $a}]}}"
    )
    spec = parse(HEAD + text, "t.yaml", libraries())
    assert shapes(expand(spec, "u", {"a": 4}))[0][1] == 4
    with pytest.raises(SpecError, match="divides by zero"):
        expand(spec, "t", {"a": 4})


def test_a_title_and_an_input_use_parameters():
    text = (
        "parameters: {a: 1, b: 2, c: 3}\nlayers: []\n"
        "variants: {u: {title: U of $a, input: [$b], layers: []}}"
    )
    spec = parse(HEAD + text, "t.yaml", libraries())
    assert list(spec.parameters("u")) == ["a", "b"]


def test_a_wrong_value_of_a_variant_is_found_at_its_place():
    text = "parameters: {w: 4}\nlayers: []\nvariants: {u: {set: {w: x}}}"
    with pytest.raises(SpecError, match="^t.yaml:5:25: parameter 'w' needs an integer, found x"):
        build(text, "u")


# --- attacks ------------------------------------------------------------------------------------


def blocks(count, body, leaf="[]"):
    lines = [f"  b0: {{layers: {leaf}}}"]
    lines += [f"  b{k}: {{layers: {body.format(f'b{k - 1}')}}}" for k in range(1, count)]
    return "blocks:\n" + "\n".join(lines) + f"\nlayers: [b{count - 1}]"


def wide_lists(levels):
    lines = ["a0: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]
    lines += [f"a{k}: '[{', '.join([f'$a{k - 1}'] * 10)}]'" for k in range(1, levels)]
    listing = "".join(f"\n  {line}" for line in lines)
    return f"parameters:{listing}\nlayers: [relu: {{name: 'x$a{levels - 1}'}}]"


HEAVY = " + ".join(["len(range($i, 9000))"] * 30)
ATTACKS = {
    "times": "layers: [repeat: {times: 1000000000, layers: [relu]}]",
    "nested": "layers: [repeat: {times: 100000, layers: [repeat: {times: 100000, layers: []}]}]",
    "nested dense": "layers: [dense: {times: 100, layers: [dense: {times: 100, layers: []}]}]",
    "blocks twice": blocks(60, "[{0}, {0}]"),
    "blocks in names": blocks(90, "[{0}: {{name: " + "n" * 100 + "}}]", "[relu]"),
    "chain": blocks(500, "[{0}]", "[relu]"),
    "chain without names": blocks(500, "[{0}: {{name: ''}}]", "[relu]"),
    "nested chain": blocks(90, "[residual: {{layers: [{0}]}}]", "[relu]"),
    "wide lists": wide_lists(9),
    "long names": "parameters: {a: " + "x" * 900 + "}\nlayers: [relu: {name: $a$a$a$a}]",
    "long scopes": "layers: [repeat: {times: 9, name: " + "x" * 900 + ", layers: []}]",
    "long title": "title: " + "$a" * 100_000 + "\nparameters: {a: 1}\nlayers: []",
    "heavy conditions": "layers: [repeat: {times: 100000, index: i, layers:"
    f" [relu: {{when: {HEAVY!r}}}]}}]".replace("'", '"'),
    "libraries": "use: [" + "common, " * 50_000 + "]\nlayers: []",
    "large sizes": "layers: [conv: {out: 2147483647, kernel: 7, padding: 2147483647}]",
    "larger sizes": "layers: [conv: {out: 2 ** 40}, pad: {padding: 9999999999}]",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused_soon(name):
    start = time.process_time()
    with pytest.raises(ArchcostError) as caught:
        build(ATTACKS[name])
    assert time.process_time() - start < 10
    assert len(str(caught.value)) < 1000


def test_memory_of_lists_made_in_a_loop():
    with pytest.raises(SpecError, match="list entries in all"):
        build(
            "parameters: {n: 9000}\nblocks: {b: {parameters: {l: null}, layers: []}}\n"
            "layers: [repeat: {times: 20000, index: i, layers: [b: {l: '[$i] + range($n)'}]}]"
        )


def test_a_large_network_is_no_attack():
    graph = build("layers: [repeat: {times: 20000, layers: [repeat: {times: 1, layers: [relu]}]}]")
    assert len(graph) == 20_000


def test_an_empty_network():
    graph = build("layers: []")
    assert graph.outputs == graph.inputs
    assert analyze(graph).totals.params == 0


def test_shape_errors_are_no_spec_errors():
    with pytest.raises(ShapeError):
        build("layers: [flatten, conv: 3]")
