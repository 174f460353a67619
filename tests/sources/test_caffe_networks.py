"""Whole networks, written as prototxts and read again; and Netscope's own totals of its presets."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from caffe_writer import prototxt

from archcost.analysis import analyze
from archcost.conventions import convention
from archcost.sources import load
from archcost.sources.caffe import network

NETWORKS = [
    "alexnet",
    "allcnn-c",
    "densenet121",
    "dsn-cifar10",
    "fastnet",
    "googlenet",
    "highway-19",
    "nin-cifar10",
    "overfeat-fast",
    "rcnn-96",
    "sharesnet-34",
    "simplenet",
    "squeezenet",
    "zfnet",
]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_the_zoo(name):
    graph = load(name, batch=2)
    again = network(prototxt(graph), f"{name}.prototxt", batch=2)
    one, other = analyze(graph).totals, analyze(again).totals
    assert (other.params, other.buffers, other.macs) == (one.params, one.buffers, one.macs)
    assert [v.type.numel for v in again.outputs] == [v.type.numel for v in graph.outputs]
    if "batch_norm" not in {node.op.kind for node in graph}:  # which Caffe has as two layers
        assert other.work == one.work


# --- Netscope -----------------------------------------------------------------------------------

CONVENTIONS = Path(__file__).parents[1] / "conventions"
SPECS = CONVENTIONS / "netscope"
TOTALS = yaml.safe_load((CONVENTIONS / "netscope.yaml").read_text("utf-8"))["totals"]


@pytest.mark.parametrize("total", TOTALS, ids=lambda total: total["preset"])
def test_netscope_s_totals(total):
    """The preset's network as a prototxt, counted as Netscope counted the preset itself."""
    model, batch = total["network"], total.get("batch", 1)
    spec = load(str(SPECS / model) if ".yaml" in model else model, settings=total.get("settings"))
    without = total.get("without", ())
    if any(node.op.kind == "identity" for node in spec):
        return  # a blob without a layer: below
    text = prototxt(spec.rewritten(lambda n: None if n.op.kind in without else n.op))
    graph = network(text, "preset.prototxt", batch=batch)
    for name in {"netscope-2016", "netscope-2018"} & total.keys():
        count = convention(name).count(graph)
        printed = dict(zip(count.convention.quantities, total[name], strict=True))
        shown = {quantity: number for quantity, number in printed.items() if number is not None}
        assert {quantity: count.numbers[quantity] for quantity in shown} == shown
        assert count.ignored == ()


# What the compiled pages of both years (see netscope.yaml) give for these texts: macc, comp, add,
# div, exp, activation, param.
PECULIAR = {
    "label": """
        layer { name: "data" type: "Data" top: "data" top: "label"
                input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
        layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
                convolution_param { num_output: 4 kernel_size: 3 } }
        layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
        layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
                inner_product_param { num_output: 5 } }
        layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc"
                include { phase: TRAIN } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "error" }
        """,
    "joined": """
        input: "data"
        input_shape { dim: 2 dim: 4 dim: 6 dim: 6 }
        layer { name: "a" type: "Pooling" bottom: "data" top: "a"
                pooling_param { kernel_size: 2 stride: 2 } }
        layer { name: "b" type: "Pooling" bottom: "data" top: "b"
                pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
        layer { name: "c" type: "Concat" bottom: "a" bottom: "b" top: "c" }
        layer { name: "d" type: "Concat" bottom: "c" bottom: "a" top: "d" }
        layer { name: "flat" type: "Flatten" bottom: "d" top: "flat" }
        layer { name: "ip" type: "InnerProduct" bottom: "flat" top: "ip"
                inner_product_param { num_output: 5 } }
        """,
}
PECULIAR["regions"] = """
    input: "data"
    input_shape { dim: 1 dim: 3 dim: 20 dim: 24 }
    input: "im_info"
    input_shape { dim: 1 dim: 3 }
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
            convolution_param { num_output: 8 kernel_size: 3 stride: 2 pad: 1 } }
    layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
    layer { name: "score" type: "Convolution" bottom: "conv" top: "score"
            convolution_param { num_output: 18 kernel_size: 1 } }
    layer { name: "box" type: "Convolution" bottom: "conv" top: "box"
            convolution_param { num_output: 36 kernel_size: 1 } }
    layer { name: "rois" type: "Python" bottom: "score" bottom: "box" bottom: "im_info" top: "rois"
            python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" } }
    layer { name: "pool" type: "ROIPooling" bottom: "conv" bottom: "rois" top: "pool"
            roi_pooling_param { pooled_w: 3 pooled_h: 2 spatial_scale: 0.5 } }
    layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip"
            inner_product_param { num_output: 5 } }
    """

BY_NETSCOPE = {
    ("label", "netscope-2016"): [4608, 144, 5, 5, 5, 685, 828],
    ("label", "netscope-2018"): [9216, 288, 10, 10, 10, 1384, 837],
    ("joined", "netscope-2016"): [540, 144, 144, 0, 0, 653, 540],
    ("joined", "netscope-2018"): [1080, 288, 288, 0, 0, 1018, 545],
    ("regions", "netscope-2018"): [248400, 1775790, 280200, 45150, 2160, 27240, 955],
}


@pytest.mark.parametrize(("which", "name"), BY_NETSCOPE)
def test_what_a_file_has_besides_its_layers(which, name):
    batch = 1 if which == "regions" else 2
    graph = network(PECULIAR[which], "n", batch=batch)
    numbers = convention(name).count(graph).numbers
    assert list(numbers.values()) == BY_NETSCOPE[which, name]
