"""Reading Caffe's prototxt: phases, inputs, tied weights, what is left out, mistakes."""

from __future__ import annotations

import os

import pytest
from caffe_texts import declared, kinds, layer, single, sizes, totals

from archcost.ir import ArchcostError, ShapeError
from archcost.sources.caffe import network, read
from archcost.sources.errors import ModelFileError

C3 = "convolution_param { num_output: 8 kernel_size: 3 "
P3 = "pooling_param { kernel_size: 3 stride: 2 "

TRAIN_VAL = """
name: "LittleNet"   # a comment
layer {
  name: "mnist" type: "Data" top: "data" top: "label"
  include { phase: TRAIN }
  transform_param { crop_size: 24 mirror: true }
  data_param { source: "train_lmdb" batch_size: 64 backend: LMDB }
}
layer {
  name: "mnist" type: "Data" top: "data" top: "label"
  include { phase: TEST }
  transform_param { crop_size: 28 }
  data_param { source: "test_lmdb" batch_size: 100 backend: LMDB }
}
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 20 kernel_size: 5 weight_filler { type: "xavier" } }
}
layer { name: "bn" type: "BatchNorm" bottom: "conv1" top: "conv1" include { phase: TRAIN } }
layer { name: "bn" type: "BatchNorm" bottom: "conv1" top: "conv1" include { phase: TEST } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "noise" type: "Dropout" bottom: "conv1" top: "conv1" exclude { phase: TEST } }
layer { name: "ip" type: "InnerProduct" bottom: "conv1" top: "ip"
        inner_product_param { num_output: 10 } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
        include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def test_a_train_val_file_is_read_as_it_runs_at_test():
    graph = network(TRAIN_VAL, "train_val.prototxt")
    assert kinds(graph) == ["conv", "batch_norm", "relu", "linear", "softmax"]
    assert [str(value.type) for value in graph.inputs] == ["1x3x28x28"]
    assert list(graph.named_outputs) == ["loss"]
    assert graph.name == graph.metadata["title"] == "LittleNet"
    assert totals(graph).params == 20 * 75 + 20 + 20 * 24**2 * 10 + 10
    assert totals(graph).buffers == 40
    assert graph.metadata["assumptions"] == [
        "images of 3 channels: the data layer in line 9 tells their size alone"
    ]


def test_the_phase_may_be_set():
    graph = network(TRAIN_VAL, "train_val.prototxt", settings={"phase": "train"}, batch=4)
    assert kinds(graph) == ["conv", "batch_norm", "relu", "dropout", "linear", "softmax"]
    assert [str(value.type) for value in graph.inputs] == ["4x3x24x24"]


def test_what_works_in_place_writes_over_its_input():
    graph = network(TRAIN_VAL, "train_val.prototxt")
    assert [node.inplace for node in graph] == [False, True, True, False, False]
    apart = TRAIN_VAL.replace(
        'bottom: "conv1" top: "conv1" include { phase: TEST }',
        'bottom: "conv1" top: "bn" include { phase: TEST }',
    ).replace('"ReLU" bottom: "conv1" top: "conv1"', '"ReLU" bottom: "bn" top: "conv1"')
    other = network(apart, "n")
    assert kinds(other) == kinds(graph)
    assert not any(node.inplace for node in other)
    assert totals(other).peak_memory_bytes >= totals(graph).peak_memory_bytes


def test_a_layer_for_training_alone_goes():
    for_training = TRAIN_VAL.replace(
        'top: "conv1" include { phase: TEST }', 'top: "conv1" include { phase: TRAIN }'
    )
    assert "batch_norm" not in kinds(network(for_training, "n"))


def ruled(state, rule, **options):
    """Whether a layer with the rule is there."""
    text = declared(x="1x3x4x4") + f"state {{ {state} }}" + layer("ReLU")
    text += layer("Sigmoid", rule, ("y",), ("z",), "ruled")
    return kinds(network(text, "n", **options)) == ["relu", "sigmoid"]


@pytest.mark.parametrize(
    ("state", "rule", "kept"),
    [
        ("", "", True),
        ("", "include { phase: TEST }", True),
        ("", "include { phase: 1 }", True),
        ("", "include { phase: TRAIN }", False),
        ("phase: TRAIN", "include { phase: TRAIN }", True),
        ("", "exclude { phase: TEST }", False),
        ("", "exclude { phase: TRAIN }", True),
        ("", "include { phase: TRAIN } include { phase: TEST }", True),
        ("", "exclude { phase: TRAIN } exclude { phase: TEST }", False),
        ("level: 3", "include { min_level: 2 }", True),
        ("level: 1", "include { min_level: 2 }", False),
        ("level: 3", "include { min_level: 1 max_level: 2 }", False),
        ("level: -1", "include { max_level: 0 }", True),
        ('stage: "a" stage: "b"', 'include { stage: "a" }', True),
        ('stage: "a"', 'include { stage: "a" stage: "b" }', False),
        ('stage: "a"', 'include { not_stage: "a" }', False),
        ('stage: "a"', 'include { not_stage: "b" }', True),
        ('stage: "a"', 'include { phase: TRAIN stage: "a" }', False),
    ],
)
def test_rules(state, rule, kept):
    assert ruled(state, rule) is kept


def test_settings_come_before_the_file_s_state():
    assert ruled("phase: TRAIN", "include { phase: TEST }", settings={"phase": "TEST"})
    assert ruled("level: 1", "include { min_level: 2 }", settings={"level": 2})
    assert ruled('stage: "a"', 'include { stage: "b" }', settings={"stage": "b"})
    assert ruled("", 'include { stage: "b" stage: "c" }', settings={"stage": ["c", "b"]})


# --- inputs, batch, dtype -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        'input: "x" input_dim: 10 input_dim: 3 input_dim: 8 input_dim: 9',
        'input: "x" input_shape { dim: 10 dim: 3 dim: 8 dim: 9 }',
        'input: "x" input_shape { dim: [10, 3, 8, 9] }',
        'layer { type: "Input" top: "x" input_param { shape: { dim: [10, 3, 8, 9] } } }',
        layer(
            "MemoryData",
            "memory_data_param { batch_size: 10 channels: 3 height: 8 width: 9 }",
            (),
            ("x",),
        ),
        layer(
            "DummyData", "dummy_data_param { num: 10 channels: 3 height: 8 width: 9 }", (), ("x",)
        ),
        layer("DummyData", "dummy_data_param { shape { dim: [10, 3, 8, 9] } }", (), ("x",)),
        layer(
            "ImageData",
            "image_data_param { batch_size: 10 new_height: 8 new_width: 9 }",
            (),
            ("x", "label"),
        ),
    ],
)
def test_where_an_input_s_shape_is(head):
    text = f"{head}\n{layer('ReLU')}"
    assert [str(v.type) for v in network(text, "n").inputs] == ["1x3x8x9"]
    assert [str(v.type) for v in network(text, "n", batch=10).inputs] == ["10x3x8x9"]
    graph = network(text, "n", batch=2, dtype="fp16", inputs=[(3, 16, 16)])
    assert [str(v.type) for v in graph.inputs] == ["2x3x16x16:fp16"]


def test_images_without_colour():
    data = layer("Data", "transform_param { crop_size: 28 force_gray: true }", (), ("x", "label"))
    assert [sizes(v) for v in network(data + layer("ReLU"), "n").inputs] == ["1x1x28x28"]


def test_a_size_that_is_nowhere_is_asked_for():
    data = layer("Data", 'data_param { source: "lmdb" }', (), ("x", "label"))
    with pytest.raises(ModelFileError, match=r"^n:1:1: .*'x'.* --input"):
        network(data + layer("ReLU"), "n")
    graph = network(data + layer("ReLU"), "n", inputs=[(1, 8, 8)])
    assert [sizes(v) for v in graph.inputs] == ["1x1x8x8"]


def test_a_file_without_its_data_layers():
    text = layer("ReLU", bottoms=("data",)) + layer("SoftmaxWithLoss", "", ("y", "label"), ("z",))
    with pytest.raises(ModelFileError, match=r"'data'.* --input"):
        network(text, "n")
    graph = network(text, "n", inputs=[(3, 8, 8)])
    assert [value.name for value in graph.inputs] == ["data"]
    assert kinds(graph) == ["relu", "softmax"]


def test_data_of_the_other_phase_serve():
    rule = "transform_param { crop_size: 28 } include { phase: TRAIN }"
    text = layer("Data", rule, (), ("x", "label")) + layer("ReLU")
    assert [sizes(v) for v in network(text, "n").inputs] == ["1x3x28x28"]


def test_only_the_inputs_that_are_not_told_may_be_given():
    text = declared(a="1x3x8x8") + layer("HDF5Data", "", (), ("b",))
    text += layer("Eltwise", bottoms=("a", "b"))
    assert [sizes(v) for v in network(text, "n", inputs=[(3, 8, 8)]).inputs] == ["1x3x8x8"] * 2
    both = network(text, "n", inputs=[(3, 4, 4), (3, 4, 4)])
    assert [sizes(v) for v in both.inputs] == ["1x3x4x4"] * 2
    with pytest.raises(ModelFileError, match=r"2 inputs \(a, b\), 3 shapes given"):
        network(text, "n", inputs=[(3, 4, 4)] * 3)


def test_sizes_that_repeat_the_batch_follow_it():
    text = declared(x="10x6x4x4") + layer("Reshape", "reshape_param { shape { dim: 10 dim: 96 } }")
    assert [sizes(v) for v in network(text, "n").outputs] == ["1x96"]
    assert [sizes(v) for v in network(text, "n", batch=7).outputs] == ["7x96"]
    assert [sizes(v) for v in network(text, "n").with_batch(3).outputs] == ["3x96"]


def test_regions_are_as_many_as_the_file_says():
    pool = layer("ROIPooling", "roi_pooling_param { pooled_h: 7 pooled_w: 7 }", ("x", "rois"))
    graph = network(declared(x="2x8x20x20", rois="30x5") + pool, "n", batch=1)
    assert [sizes(v) for v in graph.inputs] == ["1x8x20x20", "30x5"]


def test_the_number_of_proposals_may_be_set():
    text = declared(x="1x18x14x14", y="1x36x14x14", i="1x3")
    text += layer("Python", 'python_param { layer: "ProposalLayer" }', ("x", "y", "i"), ("rois",))
    graph = network(text, "n", settings={"proposals": 1000})
    assert [sizes(v) for v in graph.outputs] == ["1000x5"]
    assert "1000 region proposals" in graph.metadata["assumptions"][0]


def test_a_recurrent_network_keeps_its_batch():
    arguments = "LSTM", "recurrent_param { num_output: 5 }", ["20x4x10", "20x4"], ["?"]
    assert [sizes(v) for v in single(*arguments).inputs] == ["20x4x10"]
    with pytest.raises(ModelFileError, match="dimension is time"):
        single(*arguments, batch=2)


# --- notations ----------------------------------------------------------------------------------


def test_the_older_notation():
    text = """
    input: 'data' input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
    layers { name: 'conv' type: CONVOLUTION bottom: 'data' top: 'conv'
      blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0 param: 'w' param: 'b'
      convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }
    layers { name: 'again' type: CONVOLUTION bottom: 'conv' top: 'again' param: 'w' param: 'b'
      convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }
    layers { name: 'relu' type: RELU bottom: 'again' top: 'again' }
    layers { name: 'ip' type: INNER_PRODUCT bottom: 'again' top: 'ip'
      inner_product_param { num_output: 5 } }
    layers { name: 'loss' type: SOFTMAX_LOSS bottom: 'ip' bottom: 'label' }
    """
    graph = network(text, "v1.prototxt")
    assert kinds(graph) == ["conv", "conv", "relu", "linear", "softmax"]
    assert totals(graph).params == 84 + 3 * 81 * 5 + 5
    assert list(graph.named_outputs) == ["loss"]


def test_both_notations_and_all_quotes_are_one():
    new = 'layer { name: "a" type: "Pooling" bottom: "x" top: "y" pooling_param { kernel_size: 2 }}'
    old = "layers < name: 'a', type: POOLING; bottom: 'x' top: 'y' pooling_param: <kernel_size: 2>>"
    one, other = (network(declared(x="1x3x8x8") + text, "n") for text in (new, old))
    assert [node.op for node in one] == [node.op for node in other]


def test_an_enumeration_s_member_by_number():
    text = declared(x="1x3x8x8") + layer("Pooling", "pooling_param { pool: 1 kernel_size: 2 }")
    assert kinds(network(text, "n")) == ["avg_pool"]


# --- what is shared, split, left out ------------------------------------------------------------


def test_parameters_of_one_name_are_one():
    conv = "convolution_param { num_output: 3 kernel_size: 3 pad: 1 }"
    tied = 'param { name: "w" } param { lr_mult: 2 } ' + conv
    text = declared(x="1x3x8x8") + layer("Convolution", tied, name="a")
    text += layer("Convolution", tied, ("y",), ("z",), "b")
    graph = network(text, "n")
    first, second = (node.parameters for node in graph)
    assert first[0] is second[0]
    assert first[1] is not second[1]
    assert totals(graph).params == 81 + 3 + 3


def test_a_transposed_weight_is_the_weight_that_it_was():
    encode = 'param { name: "w" } inner_product_param { num_output: 100 }'
    decode = 'param { name: "w" } inner_product_param { num_output: 784 transpose: true }'
    text = declared(x="1x784") + layer("InnerProduct", encode)
    graph = network(text + layer("InnerProduct", decode, ("y",), ("z",), "decode"), "n")
    assert totals(graph).params == 78400 + 100 + 784
    assert totals(graph).macs == 2 * 78400
    assert [sizes(v) for v in graph.outputs] == ["1x784"]


def test_tied_weights_need_one_shape():
    tied = 'param { name: "w" } ' + C3 + "}"
    text = declared(x="1x3x8x8") + layer("Convolution", tied)
    with pytest.raises(ShapeError, match=r"^n:1:\d+: node 'other': shares"):
        network(text + layer("Convolution", tied, ("y",), ("z",), "other"), "n")


def test_a_recurrent_layer_s_parameters_may_be_tied():
    fields = 'param { name: "W" } param { name: "b" } param { name: "U" } '
    text = declared(x="20x4x50", cont="20x4")
    for name, ends in (("a", ("x", "y")), ("b", ("y", "z"))):
        recurrent = fields + "recurrent_param { num_output: 50 }"
        text += layer("LSTM", recurrent, (ends[0], "cont"), (ends[1],), name)
    graph = network(text, "n")
    assert totals(graph).params == 200 * 100 + 200
    assert totals(graph.with_dtype("fp16")).params == 200 * 100 + 200


def test_the_halves_of_a_siamese_network():
    text = declared(pair="1x2x8x8")
    text += layer("Slice", "slice_param { slice_point: 1 }", ("pair",), ("left", "right"))
    for name, bottom in (("conv", "left"), ("conv_p", "right")):
        tied = 'param { name: "w" } param { name: "b" }'
        conv = "convolution_param { num_output: 4 kernel_size: 3 }"
        text += layer("Convolution", tied + conv, (bottom,), (name,), name)
    text += layer("ContrastiveLoss", "", ("conv", "conv_p", "sim"), ("loss",), "loss")
    graph = network(text, "n")
    assert totals(graph).params == 40
    assert list(graph.named_outputs) == ["conv", "conv_p"]


def test_a_split_is_one_tensor_with_two_names():
    text = declared(x="1x3x8x8") + layer("ReLU") + layer("Split", "", ("y",), ("a", "b"), "split")
    text += layer("Eltwise", "", ("a", "b"), ("z",), "sum")
    assert kinds(network(text, "n")) == ["relu", "sum"]


def test_a_stored_tensor():
    text = declared(x="1x3x8x8")
    text += layer("Parameter", "parameter_param { shape { dim: 3 } }", (), ("w",), "w")
    graph = network(text + layer("Scale", "", ("x", "w")), "n")
    assert totals(graph).params == 3


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("SoftmaxWithLoss", "softmax"),
        ("SigmoidCrossEntropyLoss", "sigmoid"),
        ("InfogainLoss", "softmax"),
        ("EuclideanLoss", None),
        ("HingeLoss", None),
        ("SmoothL1Loss", None),
        ("Python", None),
        ("Accuracy", None),
        ("Silence", None),
    ],
)
def test_losses(loss, kind):
    text = declared(x="1x10") + layer("ReLU")
    text += layer(loss, "loss_weight: 0.3", ("y", "label"), () if loss == "Silence" else ("z",))
    graph = network(text, "n")
    assert kinds(graph) == (["relu", kind] if kind else ["relu"])
    assert list(graph.named_outputs) == (["z"] if kind else ["y"])


def test_a_loss_for_training_alone_is_the_network_s_end():
    text = declared(x="1x10") + layer("ReLU")
    loss = layer("SoftmaxWithLoss", "include { phase: TRAIN }", ("y", "label"), ("z",), "loss")
    assert kinds(network(text + loss, "n")) == ["relu", "softmax"]
    probability = layer("Softmax", "include { phase: TEST }", ("y",), ("p",), "prob")
    graph = network(text + loss + probability, "n")
    assert kinds(graph) == ["relu", "softmax"]
    assert list(graph.named_outputs) == ["p"]


def test_what_reads_a_loss_goes_with_it():
    text = declared(x="1x10") + layer("ReLU") + layer("EuclideanLoss", "", ("y", "l"), ("e",))
    text += layer("Power", "power_param { scale: 2 }", ("e",), ("f",), "scaled")
    assert kinds(network(text, "n")) == ["relu"]


def test_a_silenced_blob_is_no_output():
    text = declared(x="1x4x2x2") + layer("Slice", "", ("x",), ("a", "b"))
    text += layer("Silence", "", ("b",), (), "silence")
    assert list(network(text, "n").named_outputs) == ["a"]


def test_names_that_come_twice():
    text = declared(x="1x4x2x2") + layer("ReLU", name="a") + layer("TanH", "", ("y",), ("z",), "a")
    assert [node.name for node in network(text, "n")] == ["a", "a_2"]
    nameless = declared(x="1x4") + 'layer { type: "ReLU" bottom: "x" top: "y" }'
    assert [node.name for node in network(nameless, "n")] == ["relu"]


def test_a_layer_s_name_in_place_of_a_blob_s():
    text = declared(x="1x4x2x2") + layer("ReLU", name="a") + layer("TanH", "", ("a",), ("z",), "b")
    graph = network(text, "n")
    assert kinds(graph) == ["relu", "tanh"]
    assert graph.metadata["assumptions"] == [
        "'a' is a layer's name where a blob's should be: 'y' is read"
    ]


def test_an_unknown_layer_in_place_has_its_bottom_s_shape():
    text = declared(x="1x4x2x2") + layer("ReLU")
    graph = network(text + layer("Foo", "foo_param { a: 1 }", ("y",), ("y",), "foo"), "n")
    assert kinds(graph) == ["relu", "Foo"]
    assert not graph.nodes[-1].op.known


def test_fields_of_a_fork_are_named():
    text = declared(x="1x3x8x8") + layer("Convolution", C3 + "quantize_bits: 8 }")
    assert network(text, "n").metadata["assumptions"] == [
        "not understood and left out: convolution_param.quantize_bits"
    ]


# --- mistakes -----------------------------------------------------------------------------------

X = 'input: "x" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }\n'

WRONG = [
    ("", "1:1: no layers"),
    ('net: "train_val.prototxt" base_lr: 0.1', "1:1: this is a solver"),
    ("layers { layer { name: 'a' type: 'conv' } bottom: 'x' }", "1:1: .* 2013.*upgrade_net"),
    (X + 'layer { name: "a" bottom: "x" top: "y" }', "2:1: a layer needs a type"),
    (X + layer("Convolutoin", C3 + "}"), "2:1: .*not known; did you mean Convolution"),
    (X + layer("Foo"), "2:1: Foo layer 'layer' is of a type that is not known, and nothing"),
    (X + layer("Convolution", "convolution_param { kernel_size: 3 }"), "2:.*needs .*num_output"),
    (X + layer("Convolution", "convolution_param { num_output: 3 }"), "2:.*needs kernel_size"),
    (X + layer("Convolution", C3 + "stirde: 2 }"), "2:.*no field .*stirde; did you mean stride"),
    (X + layer("Convolution", C3 + "pad: -1 }"), "2:.*pad: expected an integer from 0 to"),
    (X + layer("Convolution", C3 + 'pad: "1" }'), "2:.*pad: expected an integer.*found '1'"),
    (X + layer("Convolution", C3 + "stride: 0 }"), "2:.*stride: expected an integer from 1"),
    (X + layer("Convolution", C3 + "num_output: 3 }"), "2:.*num_output is given 2 times"),
    (X + layer("Convolution", C3 + "kernel_h: 3 }"), "2:.*both kernel_size and kernel_h"),
    (X + layer("Convolution", C3 + "pad: [1, 1, 1] }"), "2:.*3 of pad for 2 spatial"),
    (X + layer("Convolution", C3 + "bias_term: maybe }"), "2:.*bias_term: expected true or false"),
    (X + layer("Convolution", C3 + "axis: 2 }"), "2:1:.* axis 3"),
    (X + layer("Convolution", "convolution_param: 3"), r"2:.*expected a message in \{ \}"),
    (X + layer("Pooling", "pooling_param { pool: MEDIAN kernel_size: 2 }"), "2:.*one of MAX, AVE"),
    (X + layer("Pooling", P3 + "pad: 3 }"), "2:1:.* pad as long as its windows"),
    (X + layer("Pooling", P3 + "global_pooling: true }"), "2:1:.*global_pooling and kernel_size"),
    (X + layer("Convolution", 'param { name: "w" } ' + C3 + "dilation: 9 }"), "2:1: .*larger than"),
    (X + layer("Im2col", "convolution_param { kernel_size: 9 }"), "2:1: .*larger than"),
    (X + layer("ReLU", bottoms=("z",)), "2:1: .*reads 'z', which nothing makes"),
    (
        X + layer("ReLU", bottoms=("y",), tops=("z",)) + "\n" + layer("TanH", name="b"),
        "2:1: .*reads 'y', which is made only in line 3",
    ),
    (X + layer("ReLU", bottoms=("x", "x")), "2:1: .*needs 1 bottom, has 2"),
    (X + layer("ReLU", tops=("y", "z")), "2:1: .*has 2 tops, gives 1"),
    (X + layer("ReLU").replace('"x"', "7"), "2:.*bottom: expected a text in quotes"),
    (X + layer("ReLU", "include { phase: TEST } exclude { phase: TRAIN }"), "2:1: .*both"),
    (X + layer("ReLU", "include { phase: VALIDATE }"), "2:.*phase: expected one of TRAIN, TEST"),
    (X + layer("ReLU", "include { fase: TEST }"), "2:.*fase"),
    (X + layer("Eltwise"), "2:1: .*needs 2 or more bottoms, has 1"),
    (X + layer("Slice", "slice_param { slice_point: 3 }", tops=("a", "b")), "2:1: .*slice_points"),
    (X + layer("Slice", tops=("a", "b")), "2:1: .*needs a size divisible by it, has 3"),
    (X + layer("Concat", "concat_param { axis: 4 }"), "2:1: .*axis 4 of a bottom with 4"),
    (X + layer("Concat", "concat_param { axis: 1 concat_dim: 1 }"), "2:1: .*axis and concat_dim"),
    (X + layer("Reshape", "reshape_param { shape { dim: 0 dim: 5 } }"), "2:1: .*reshape needs"),
    (X + layer("Reshape", "reshape_param { shape { dim: 7 dim: -1 } }"), "2:1: .*cannot make"),
    (X + layer("Permute", "permute_param { order: [1, 1] }"), "2:1: .*order"),
    (X + layer("LSTM", "recurrent_param { num_output: 2 }"), "2:1: .*needs a bottom and markers"),
    (X + layer("Python", 'python_param { module: "m" layer: "L" }'), "2:1: .*Python class m.L"),
    (X + layer("Power", "power_param { scale: inf }"), "2:.*scale: expected a number, found inf"),
    (X + layer("Log", "log_param { base: 1 }"), "2:1: .*base 1"),
    (X + layer("SPP", "spp_param { pyramid_height: 31 }"), "2:1: .*windows"),
    ('input: "x" input_dim: 1 ' + layer("ReLU"), "1:1: 1 input with 1 of input_dim; each needs 4"),
    ('input: "x" input_shape { dim: 0 dim: 3 }' + layer("ReLU"), "1:.*expected an integer from 1"),
    (X + "layer { name: 'a\\nb' type: 'ReLU' bottom: 'x' top: 'y' }", "2:.*printable"),
    (X + f"layer {{ name: '{'a' * 201}' type: 'ReLU' bottom: 'x' top: 'y' }}", "2:.*printable"),
    (X + layer("DummyData", "", (), ("z",)), "1:1: no layers are left"),
    (X + "layer {", "2:8: the file ends within the message that begins in line 2"),
    (X + "layer { name: }", "2:15: expected a value"),
]


@pytest.mark.parametrize(
    ("text", "message"), [pytest.param(*case, id=str(at)) for at, case in enumerate(WRONG)]
)
def test_mistakes(text, message):
    with pytest.raises(ArchcostError, match=f"^net.prototxt:({message})") as caught:
        network(text, "net.prototxt")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settings": {"fase": "test"}}, "no parameter 'fase'; did you mean 'phase'"),
        ({"settings": {"phase": "validate"}}, "phase: expected test or train"),
        ({"settings": {"level": "high"}}, "level: expected an integer"),
        ({"settings": {"stage": 3}}, "stage: expected a word"),
        ({"settings": {"proposals": 0}}, "proposals: expected an integer >= 1"),
        ({"inputs": [(3, 8)]}, "3x8 has another number of sizes"),
        ({"inputs": [(3, 8, 8), (3, 8, 8)]}, "1 input .*2 shapes given"),
    ],
)
def test_requests_that_are_wrong(options, message):
    with pytest.raises(ModelFileError, match=message):
        network(X + layer("ReLU"), "n", **options)


def test_read_a_file(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text("\ufeff" + X + layer("ReLU"), "utf-8")
    graph = read(path)
    assert graph.name == "net"
    assert graph.nodes[0].source == "net.prototxt:2:1"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"\x00" * 100, b"#" * 3_000_000])
def test_what_is_no_text(tmp_path, content):
    path = tmp_path / "net.prototxt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match="net.prototxt"):
        read(path)


def test_a_pipe_or_folder_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.prototxt")
    for name in ("pipe.prototxt", "."):
        with pytest.raises(ModelFileError, match="cannot be read"):
            read(tmp_path / name)
