"""Models whose code looks at values: what is known of them, and what is assumed where it is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from traced_modules import Of, check

import archcost
from archcost.analysis import analyze
from archcost.ir import Graph
from archcost.sources.errors import TraceError
from archcost.sources.torch.factory import build

TOKENS = torch.empty(2, 5, dtype=torch.int64, device="meta")
USUAL = "no token is a special one, masks are true, numbers are finite"


def read(function: Any, *inputs: Tensor, **named: Tensor) -> Graph:
    return archcost.load(Of(function), inputs=list(inputs) or named, batch="none")


def kinds(graph: Graph) -> list[str]:
    return [node.op.kind for node in graph if not node.op.view]


# --- tests of the inputs' values ---------------------------------------------------------------

TESTS = {
    "a token among the inputs": (lambda x: 0 in x[:, [-1, 0]], False),
    "no such token": (lambda x: bool((x != 3).all()), True),
    "how many tokens are no padding": (lambda x: int((x != 0).sum(1).max()) == 5, True),
    "not a number": (lambda x: bool(torch.isnan(x * 0.5).any()), False),
    "infinite": (lambda x: bool((x * 0.5).isinf().logical_not().all()), True),
}


@pytest.mark.parametrize("name", TESTS)
def test_inputs_are_usual_ones(name: str) -> None:
    test, expected = TESTS[name]
    graph = read(lambda x: x.abs() if test(x) else x.neg(), TOKENS)
    assert ("maximum" in kinds(graph)) == expected
    assert any(USUAL in said for said in graph.metadata["assumptions"])


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64])
def test_masks_are_true_everywhere(dtype: torch.dtype) -> None:
    def padded(x: Tensor, attention_mask: Tensor) -> Tensor:
        if not attention_mask.all() or (attention_mask == 0).any():
            x = x.exp()
        return x[:, : int(attention_mask.sum(-1).max())]

    class Padded(nn.Module):
        def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
            return padded(x, attention_mask)

    mask = torch.empty(2, 4, dtype=dtype, device="meta")
    inputs = {"x": torch.empty(2, 7, device="meta"), "attention_mask": mask}
    graph = archcost.load(Padded(), inputs=inputs, batch="none")
    assert "exp" not in kinds(graph)
    assert graph.outputs[0].shape == (2, 4)


@pytest.mark.parametrize(
    "test",
    [
        lambda x: x.sum() > 0,
        lambda x: (x > 2).any(),
        lambda x: (x.float() * 2 == 3).any(),
        lambda x: x.cpu().numpy()[0, 0] > 1,
        lambda x: x.tolist()[0][0] > 1,
    ],
)
def test_other_questions_have_no_answer(test: Any) -> None:
    with pytest.raises(TraceError, match="asks for the value of a tensor"):
        read(lambda x: x.abs() if test(x) else x, TOKENS)


def test_what_code_has_torch_check_holds() -> None:
    def checked(x: Tensor) -> Tensor:
        torch._check_tensor_all_with(ValueError, x > 0, lambda: "no")
        return x * 2

    assert kinds(read(checked, torch.empty(2, 3, device="meta"))) == ["greater", "rescale"]
    with pytest.raises(TraceError, match="ValueError: no"):
        read(
            lambda x: (
                torch._check_tensor_all_with(ValueError, torch.zeros(1) > 0, lambda: "no"),
                x,
            ),
            TOKENS,
        )


@pytest.mark.parametrize("arguments", [{}, {"enabled": False}, {"dtype": torch.bfloat16}])
def test_autocast_on_the_device_of_the_input(arguments: dict[str, Any]) -> None:
    def rotated(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, **arguments):
            return x.float() * 2

    graph = read(rotated, torch.empty(2, 3, device="meta"))
    assert kinds(graph) == ["rescale"]
    assert graph.outputs[0].type.dtype == "fp32"
    with torch.autocast("cpu", dtype=torch.bfloat16):  # which is as before
        assert (torch.rand(2, 2) @ torch.rand(2, 2)).dtype == torch.bfloat16


# --- values that are known ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "size",
    [
        lambda x: int(torch.tensor([3, 2], device=x.device)[1]),
        lambda x: torch.as_tensor([3, 2], device=x.device).tolist()[1],
        lambda x: x.new_tensor([3, 2]).long().numpy()[1],
        lambda x: int(torch.tensor([3, 2]).to(x.device).prod() // 3),
    ],
)
def test_numbers_that_the_code_names(size: Any) -> None:
    """Wherever it puts them: on the input's device there is nothing."""
    graph = read(lambda x: x[:, : size(x)] * 2, torch.empty(2, 7, device="meta"))
    assert graph.outputs[0].shape == (2, 2)


def test_whole_numbers_that_are_given_are_known() -> None:
    """The sizes of images among the inputs of a model that packs them."""

    def cut(x: Tensor, sizes: Tensor) -> list[Tensor]:
        return [part.mean(0) for part in x.split(sizes.prod(-1).tolist())]

    x, sizes = torch.empty(14, 3, device="meta"), torch.tensor([[2, 4], [3, 2]])
    graph = read(cut, x, sizes)
    assert len(graph.outputs) == 2
    assert [node.inputs[0].shape for node in graph if node.op.kind == "reduce_mean"] == [
        (8, 3),
        (6, 3),
    ]
    with pytest.raises(TraceError, match="asks for the value"):
        read(cut, x, sizes.to("meta"))


def test_a_form_that_was_seen_is_not_the_tensor_that_code_turned() -> None:
    """What one call gives is worked out once for all like it, whatever becomes of the result."""

    def twice(x: Tensor) -> Tensor:
        return torch.stft(x, 8, window=torch.ones(8), return_complex=True).abs()

    x = torch.rand(2, 32)
    graph = check(Of(lambda x: twice(x) + twice(x)), x, known=False, values=False, macs=False)
    assert graph.outputs[0].shape == tuple(twice(x).shape)


# --- masks that select -------------------------------------------------------------------------


class Experts(nn.Module):
    """A mixture of experts in a loop, as it was written before grouped products."""

    def __init__(self, masked: Any, count: int = 4, chosen: int = 2) -> None:
        super().__init__()
        self.gate = nn.Linear(8, count, bias=False)
        self.experts = nn.ModuleList([nn.Linear(8, 8, bias=False) for _ in range(count)])
        self.masked, self.chosen = masked, chosen

    def forward(self, x: Tensor) -> Tensor:
        scores, chosen = self.gate(x).softmax(-1).topk(self.chosen)
        result = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows, which = torch.where(self.masked(chosen, number, len(self.experts)))
            result.index_add_(0, rows, expert(x[rows]) * scores[rows, which, None])
        return result


@pytest.mark.parametrize(
    "masked",
    [
        lambda chosen, number, count: chosen == number,
        lambda chosen, number, count: F.one_hot(chosen, count)[:, :, number] > 0,
        lambda chosen, number, count: F.one_hot(chosen, count + 1).permute(2, 0, 1)[number],
    ],
)
def test_experts_have_an_equal_share_of_the_tokens(masked: Any) -> None:
    net = Experts(masked)
    graph = archcost.load(net, inputs=[(8,)], batch=16)
    # Each of 16 tokens meets the gate and 2 of the 4 experts.
    assert analyze(graph).totals.macs == 16 * (8 * 4 + 2 * 8 * 8)
    assert any("as often as the others" in said for said in graph.metadata["assumptions"])


def test_the_places_of_a_mask_that_is_true_everywhere_are_known() -> None:
    def each(x: Tensor) -> Tensor:
        return torch.stack([x[int(place)] * 2 for place in (x.sum(1) > 0).nonzero()])

    graph = read(each, torch.empty(3, 4, device="meta"))
    assert kinds(graph).count("rescale") == 3


def test_a_mask_selects_every_element_at_most() -> None:
    graph = read(lambda x: x[x > 0], torch.empty(3, 4, device="meta"))
    assert kinds(graph) == ["greater", "nonzero", "index"]
    assert graph.outputs[0].shape == (12,)


def test_an_assumption_is_said_once_with_the_first_lines_that_make_it() -> None:
    def forward(x: Tensor) -> list[Tensor]:
        results = [
            x[x > 0],
            x[x > 1],
            x[x > 2],
            x[x > 3],
            x[x > 4],
        ]
        return results + [x[x > 5] for _ in range(3)]

    (said,) = read(forward, torch.empty(3, 4, device="meta")).metadata["assumptions"]
    start = forward.__code__.co_firstlineno + 2
    file = "test_torch_assumptions.py"
    assert said.startswith("masks that select elements select all, the most there can be (at ")
    assert said.count(file) == 3
    assert said.endswith(f"{file}:{start + 2} and 3 more lines)")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({}, True), ({"dtype": torch.bfloat16}, True), ({"enabled": False}, False)],
)
def test_autocast_that_changes_nothing_is_said(arguments: dict[str, Any], said: bool) -> None:
    def forward(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, **arguments):
            return x * 2

    graph = read(forward, torch.empty(2, 3, device="meta"))
    found = graph.metadata.get("assumptions", [])
    assert [text.partition(" (at")[0] for text in found] == (
        ["torch.autocast changes no dtypes"] if said else []
    )


def test_an_unknown_operator_is_named_even_if_its_result_is_known() -> None:
    graph = read(lambda x: x @ torch.linalg.inv(torch.eye(4) * 2), torch.empty(2, 4, device="meta"))
    assert analyze(graph).totals.unknown == {"aten::linalg_inv_ex": 1}


# --- grouped products, shapes that torch refuses to work out ----------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_grouped_products_of_any_dtype(dtype: torch.dtype) -> None:
    x, ends = torch.rand(6, 16, dtype=dtype), torch.tensor([2, 6], dtype=torch.int32)
    net = Of(
        lambda s, x, ends: torch._grouped_mm(x, s.w, offs=ends),
        w=nn.Parameter(torch.rand(2, 16, 8, dtype=dtype)),
    )
    graph = check(net, x, ends, macs=False, values=dtype == torch.float32)
    assert analyze(graph).totals.macs == 6 * 16 * 8


# --- building ----------------------------------------------------------------------------------


def test_weights_that_are_drawn_again_until_they_fit() -> None:
    class Drawn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.empty(1 << 20))
            while (self.w > 2).any():
                nn.init.normal_(self.w)

    test_module = SimpleNamespace(Drawn=Drawn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "drawn", test_module)
        net = build("drawn:Drawn")
    assert net.w.is_meta


def test_a_model_that_takes_a_config_takes_its_arguments() -> None:
    """As the models of transformers do, whose pictures have the size that the config says."""

    class Config:
        def __init__(self, width: int = 4, image_size: int = 16) -> None:
            self.width, self.image_size = width, image_size

    class Model(nn.Module):
        config_class = Config
        main_input_name = "pixel_values"
        dummy_inputs = {"input_ids": torch.zeros(3, 5, dtype=torch.int64)}  # noqa: RUF012

        def __init__(self, config: Config) -> None:
            super().__init__()
            self.config = config
            self.conv = nn.Conv2d(3, config.width, 1)

        def forward(self, pixel_values: Tensor) -> Tensor:
            return self.conv(pixel_values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "models", SimpleNamespace(Model=Model))
        graph = archcost.load(build("models:Model", {"width": 7}))
        assert build("models:Model").config.width == 4
    assert [value.shape for value in graph.inputs] == [(1, 3, 16, 16)]
    assert graph.outputs[0].shape == (1, 7, 16, 16)


# --- other versions of torch -------------------------------------------------------------------


def test_what_another_version_of_torch_lacks_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch._dynamo")  # without which compiled modules are not looked for
    monkeypatch.delattr(torch.compiler, "set_stance", raising=False)
    monkeypatch.delattr(torch, "_check_tensor_all_with", raising=False)
    monkeypatch.delattr(torch.nn.modules.transformer, "_detect_is_causal_mask", raising=False)
    monkeypatch.delattr(torch._ops.OpOverload, "_can_decompose", raising=False)
    graph = read(lambda x: F.instance_norm(x).relu(), torch.empty(2, 3, 8, device="meta"))
    assert kinds(graph) == ["instance_norm", "relu"]
    assert not hasattr(torch, "_check_tensor_all_with")
