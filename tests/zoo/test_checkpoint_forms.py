"""Checkpoints as people save them: wrappers, prefixes, averaged copies, precisions; and those that cannot be used."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

import zoo
from bench.core.errors import InputError
from bench.model_files import checkpoint
from bench.weights import build_trained

NAME = "small_hrnet_w16"
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return zoo.create_model(NAME)


def moments() -> dict[str, object]:
    return {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(4)}}, "param_groups": [{"lr": 0.1}]}


WRAPPERS: dict[str, Callable[[State], dict[str, object]]] = {
    "bare": dict,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model": lambda state: {"model": state, "optimizer": moments(), "loss": torch.tensor(0.5)},
    "model_state_dict": lambda state: {"epoch": 3, "optimizer_state_dict": moments(), "model_state_dict": state},
    "ema": lambda state: {"ema": state, "updates": 10},
    "ema.module": lambda state: {"ema": {"module": state, "n_averaged": torch.tensor(4)}, "optimizer": moments()},
    "model.state_dict": lambda state: {"model": {"state_dict": state}, "rng": torch.zeros(5, dtype=torch.uint8)},
    "model beside ema": lambda state: {
        "model": state,
        "ema": {"module": {k: v + 1 if v.is_floating_point() else v for k, v in state.items()}},
    },
    "a name of one's own": lambda state: {"meta": {"epoch": 1}, "optimizer": moments(), "pose_network": state},
    "a module with a loss and an averaged copy": lambda state: {
        "state_dict": {
            **{f"ema.{key}": value + 1 if value.is_floating_point() else value for key, value in state.items()},
            **{f"model.{key}": value for key, value in state.items()},
            "loss.weight": torch.ones(3),
        },
    },
    "a name, given as text, beside it": lambda state: {"model": "small", "weights": state},
}
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "pose_estimator.")
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


@settings(max_examples=60, deadline=None)
@given(
    wrapper=st.sampled_from(list(WRAPPERS)),
    prefixes=st.lists(st.sampled_from(PREFIXES), max_size=3),
    dtype=st.sampled_from(DTYPES),
    head=st.sampled_from(["own", "keypoint_head", "head"]),
    counter=st.sampled_from([None, "n_averaged", "module.n_averaged", "steps"]),
    batches=st.booleans(),
)
def test_every_form_gives_the_same_weights(
    model: nn.Module, wrapper: str, prefixes: list[str], dtype: torch.dtype, head: str, counter: str | None,
    batches: bool,
) -> None:  # fmt: skip
    from zoo.weights import published_name

    own = model.state_dict()
    expected = {key: value.to(dtype).float() if value.is_floating_point() else value for key, value in own.items()}
    state: State = {}
    for key, value in own.items():
        if key.endswith("num_batches_tracked") and not batches:
            continue
        name = key if head == "own" else published_name(model, key).replace("keypoint_head.", f"{head}.")
        state["".join(prefixes) + name] = value.to(dtype) if value.is_floating_point() else value
    if counter:
        state[counter] = torch.tensor(7)
    other = zoo.create_model(NAME)
    zoo.load_weights(other, WRAPPERS[wrapper](state))
    assert all(torch.equal(expected[key], value) for key, value in other.state_dict().items())


def test_what_pytorch_s_own_wrappers_save(model: nn.Module, tmp_path: Path) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(nn.DataParallel(model))
    partly = zoo.create_model(NAME)
    partly.load_state_dict(model.state_dict())
    partly.backbone = torch.compile(partly.backbone)
    for saved in (averaged, torch.compile(nn.DataParallel(model)), partly):
        torch.save({"ema": saved.state_dict()}, tmp_path / "saved.pth")  # type: ignore[attr-defined]
        other = zoo.create_model(NAME, weights=tmp_path / "saved.pth")
        assert all(torch.equal(model.state_dict()[key], value) for key, value in other.state_dict().items())


class Whole(nn.Module):
    """A network with a part that may be wrapped."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))  # type: ignore[no-any-return]


def compiled_in_part(network: Whole) -> nn.Module:
    network.backbone = torch.compile(network.backbone)  # type: ignore[assignment]
    return network


@pytest.mark.parametrize(
    "wrapped", [torch.compile, nn.DataParallel, compiled_in_part, lambda net: torch.compile(nn.DataParallel(net))]
)
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_fsdp_wrapped_module.", "own"])
def test_a_network_that_is_wrapped_itself_takes_weights_of_any_form(
    wrapped: Callable[[nn.Module], nn.Module], prefix: str
) -> None:
    """As a factory of the user's own may return it; "own" are its very own names."""
    plain = Whole()
    held = wrapped(plain).state_dict() if prefix == "own" else {prefix + k: v for k, v in plain.state_dict().items()}
    held = {name: value.clone() for name, value in held.items()}
    other = Whole()
    zoo.load_weights(wrapped(other), held)
    assert torch.equal(other.state_dict()[next(iter(other.state_dict()))], next(iter(held.values())))


@pytest.mark.parametrize("wrapper", ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"])
def test_names_of_wrapped_parts_are_those_of_the_parts(model: nn.Module, wrapper: str) -> None:
    held = {
        re.sub(r"^(\w+\.\w+)\.", rf"{wrapper}.\1.{wrapper}.", name): value for name, value in model.state_dict().items()
    }
    assert sum(f".{wrapper}." in name for name in held) > 100
    other = zoo.create_model(NAME)
    zoo.load_weights(other, {"model": held})
    assert all(torch.equal(model.state_dict()[key], value) for key, value in other.state_dict().items())


def test_weights_in_parts_and_of_networks_of_one_s_own(model: nn.Module) -> None:
    zoo.load_weights(zoo.create_model(NAME), {part: getattr(model, part).state_dict() for part in ("backbone", "head")})

    class Own(nn.Module):
        """Its own names begin with what is a prefix elsewhere."""

        def __init__(self) -> None:
            super().__init__()
            self.model = nn.Conv2d(3, 4, 1)

    own = Own()
    for prefix in ("", "module.", "_orig_mod.module."):
        other = Own()
        zoo.load_weights(other, {"model": {prefix + key: value for key, value in own.state_dict().items()}})
        assert torch.equal(own.model.weight, other.model.weight)


@pytest.mark.parametrize(("value", "what"), [(float("nan"), "NaN"), (float("inf"), "infinite numbers")])
def test_weights_that_are_no_numbers_are_named(model: nn.Module, tmp_path: Path, value: float, what: str) -> None:
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    state["head.final.weight"][3, 2] = value
    torch.save({"state_dict": state}, tmp_path / "diverged.pth")
    other = zoo.create_model(NAME)
    before = {key: tensor.clone() for key, tensor in other.state_dict().items()}
    message = f"the weights in {tmp_path / 'diverged.pth'} cannot be used: head.final.weight holds {what}; "
    with pytest.raises(zoo.ZooError, match=f"^{re.escape(message)}"):
        zoo.load_weights(other, tmp_path / "diverged.pth")
    assert all(torch.equal(before[key], tensor) for key, tensor in other.state_dict().items())
    # What becomes infinite in the network's precision is so too.
    large = {key: tensor.double() for key, tensor in model.state_dict().items()}
    large["backbone.stem.0.conv.weight"] *= 1e300
    with pytest.raises(zoo.ZooError, match=r"the weights cannot be used: backbone\.stem\.0\.conv\.weight holds infin"):
        zoo.load_weights(other, large)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({}, "holds no weights, only nothing"),
        ({"epoch": 3, "note": "none"}, "holds no weights, only epoch, note"),
        ({"optimizer": moments()}, "holds no weights, only optimizer"),
        ({"model": {"name": "x"}}, "holds no weights, only name"),
        ({"state_dict": [1]}, "holds list under 'state_dict', not names and tensors"),
        ({"model": {"a.weight": np.ones(3), "a.bias": [1.0]}}, "holds a.weight, a.bias as something else than tensors"),
    ],
)
def test_no_weights_is_said_where_there_are_none(held: dict[str, object], message: str) -> None:
    with pytest.raises(zoo.ZooError, match=message):
        zoo.load_weights(zoo.create_model(NAME), held)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
            "it is Git LFS's pointer to one: run git lfs",
        ),
        (b"\n<!DOCTYPE html><html><title>Virus scan warning</title>", "it is a web page, as servers send"),
        (b'{"metadata": {}, "weight_map": {"a.weight": "model-00001-of-00002.safetensors"}}', "it is the list of the"),
    ],
)
def test_what_is_saved_in_place_of_weights_is_told(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "best.pth").write_bytes(content)
    with pytest.raises(zoo.ZooError, match=f"best.pth is no weights file, {problem}"):
        zoo.load_weights(nn.Conv2d(1, 1, 1), tmp_path / "best.pth")


@pytest.mark.parametrize("options", ["[1]", "{bad", "5", '{"num_joints": "5"}', '{"attention": {}}', "[" * 100_000])
def test_options_in_a_file_are_checked_before_they_are_used(model: nn.Module, tmp_path: Path, options: str) -> None:
    """By both readers: of ``--weights FILE`` and of a model that is a checkpoint."""
    path = tmp_path / "own.safetensors"
    state = {key: tensor.contiguous() for key, tensor in model.state_dict().items()}
    save_file(state, path, {"name": NAME, "num_joints": "17", "options": options})
    with pytest.raises(InputError, match=r"own\.safetensors"):
        build_trained(NAME, str(path), num_joints=17, input_size="256x192")
    with pytest.raises(InputError, match=r"own\.safetensors"):
        checkpoint.read(path, {})


def test_what_holds_no_numbers_is_refused(model: nn.Module) -> None:
    state = model.state_dict()
    counter = next(key for key in state if key.endswith("num_batches_tracked"))
    with pytest.raises(zoo.ZooError, match=f"cannot be used: {counter} holds NaN"):
        zoo.load_weights(zoo.create_model(NAME), {**state, counter: torch.tensor(float("nan"))})
    with pytest.raises(zoo.ZooError, match=r"without numbers \(on the device meta\)"):
        zoo.load_weights(zoo.create_model(NAME), {key: tensor.to("meta") for key, tensor in state.items()})


@pytest.mark.parametrize(
    ("wrap", "said"),
    [
        (lambda one, two: {"student": one, "teacher": two}, "student and teacher"),
        (lambda one, two: {"state_dict": {"a": {"model": one}, "b": {"model": two}}}, "state_dict.a.model and "),
        (lambda one, two: {"model": {**prefixed("student", one), **prefixed("teacher", two)}}, "model.teacher"),
        (lambda one, two: {"ema_0.99": one, "ema_0.999": two, "optimizer": moments()}, "ema_0.99 and ema_0.999"),
    ],
)  # fmt: skip
def test_of_several_sets_that_nothing_ranks_none_is_chosen(
    wrap: Callable[[State, State], dict[str, object]], said: str
) -> None:
    """The first one was taken, whichever it was."""
    first, second = (Whole().state_dict() for _ in range(2))
    with pytest.raises(zoo.ZooError, match=rf"several sets of weights of one network, .*{re.escape(said)}.*: save"):
        zoo.load_weights(Whole(), wrap(first, second))
    for same in (first, {key: value.clone() for key, value in first.items()}):
        other = Whole()
        zoo.load_weights(other, wrap(first, same))
        assert torch.equal(other.backbone.weight, first["backbone.weight"])


def prefixed(name: str, state: State) -> State:
    return {f"{name}.{key}": value for key, value in state.items()}


def test_a_dictionary_that_holds_itself_or_very_many_comes_to_an_end() -> None:
    held: dict[str, object] = {}
    held["model"] = held
    wide: dict[str, object] = {}
    for _ in range(40):
        wide = {f"part{index}": wide if index % 2 else dict(wide) for index in range(2)}
    deep: dict[str, object] = {}
    for _ in range(50_000):
        deep = {"x": deep}
    for hostile in (held, wide, deep):
        with pytest.raises(zoo.ZooError, match="holds no weights"):
            zoo.load_weights(zoo.create_model(NAME), hostile)
