"""The newer networks' own recipes: their numbers, what they show, and that networks of every kind learn by them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import default_collate

import zoo
from bench.codecs.codec import codec_of
from bench.core.errors import InputError
from bench.core.output_kinds import KINDS
from bench.core.results import read
from bench.core.skeletons import COCO
from bench.data import normalise
from bench.data.dataset import Person
from bench.data.pictures import next_batch
from bench.data.synthetic import SyntheticDataset
from bench.train import command as train_command
from bench.train import engine
from bench.train.augment import disturb, plain_view, random_view
from bench.train.optimizers import make_average, make_optimizer
from bench.train.recipe import Recipe, make_recipe, sigmas
from bench.train.samples import BatchPlan, Samples
from bench.train.training import Training, make_network
from tests.commands import command

main = command("train")
SIZE = (64, 64)


def recipe_of(name: str, model: str, size: tuple[int, int] = (256, 192), **budget: object) -> Recipe:
    card = zoo.model_card(model)
    return make_recipe(name, model, card.method, KINDS[card.output_kind], size, **budget)  # type: ignore[arg-type]


def test_published_recipes_have_their_numbers() -> None:
    small, medium, tiny = (recipe_of("rtmpose", f"rtmpose_{one}") for one in "smt")
    assert (small.epochs, small.batch, small.lr, small.optimizer, small.loss) == (420, 256, 4e-3, "adamw", "kl_sharp")
    assert [one.weight_decay for one in (tiny, small, medium)] == [0, 0, 0.05]
    assert [one.average_momentum for one in (tiny, small, medium)] == [0, 2e-4, 2e-4]
    assert small.sigmas == (4.9, 5.66)
    assert sigmas("kl_sharp", (384, 288)) == (6.0, 6.93)
    steps = 100
    at = {0: 4e-8, 999: 4e-3 * (1e-5 + (1 - 1e-5) * 0.999), 1000: 4e-3, 210 * steps: 4e-3, 420 * steps: 2e-4}
    at |= {315 * steps: 4e-3 * (0.05 + 0.95 / 2)}  # half way down the cosine
    for step, rate in at.items():
        assert small.learning_rate(step, steps) == pytest.approx(rate, rel=1e-9)
    simcc = recipe_of("simcc", "simcc_mobilenetv2")
    assert (simcc.loss, simcc.sigmas, simcc.optimizer, simcc.lr) == ("kl", (6, 6), "adam", 5e-4)
    assert simcc.learning_rate(170 * steps, steps) == pytest.approx(5e-5)
    vit = recipe_of("vitpose", "vitpose_s")
    assert (vit.loss, vit.sigma, vit.weight_decay, vit.layer_decay, vit.clip_norm) == ("keypoint_mse", 2, 0.1, 0.8, 1)
    udp = recipe_of("cspnext_udp", "cspnext_s_udp", epochs=21)
    assert (udp.epochs, udp.last_epochs, udp.average_momentum, udp.loss) == (21, 3, 2e-4, "keypoint_mse")
    dite = recipe_of("dite_hrnet", "dite_hrnet_18", half_body=False)
    assert (dite.epochs, dite.batch, dite.lr, dite.half_body_prob, dite.rot_factor) == (270, 32, 2e-3, 0, 30)
    # By the paper's recipe and the light one, all heatmaps learn by the paper's loss, others by their own.
    losses = {"rtmpose_t": "kl_sharp", "simcc_mobilenetv2": "kl", "vitpose_s": "x", "lite_hrnet_18": "x"}
    assert {name: recipe_of("light", name).loss for name in losses} == losses
    assert recipe_of("paper", "lightweight_mobilenetv3") == Recipe()
    assert not {"schedule", "draw", "blank_prob"} & set(Recipe().flat())  # records of before stay comparable
    assert small.flat().items() >= {"schedule": "cosine", "blank_prob": 1.0, "sigma_x": 4.9}.items()


def test_a_recipe_that_does_not_fit_is_one_line() -> None:
    with pytest.raises(
        InputError, match=r"^lite_hrnet_18 gives heatmaps .* its loss kl_sharp is for others: give --loss x"
    ):
        recipe_of("rtmpose", "lite_hrnet_18")
    with pytest.raises(InputError, match=r"^rtmpose_t gives two arrays .*, and --loss x is for others: give --loss kl"):
        recipe_of("light", "rtmpose_t", loss="x")
    with pytest.raises(InputError, match="learning rate 0 is impossible"):
        recipe_of("vitpose", "vitpose_s", lr=0)


def test_newer_networks_keep_their_own_initial_weights(tmp_path: Path) -> None:
    recipe = recipe_of("light", "rtmpose_t", SIZE)
    for name, deviation in {"rtmpose_t": 0.001, "cspnext_t_udp": 0.001, "simcc_mobilenetv2": 0.01}.items():
        run = Training(name, None, "scratch", SIZE, 4, "fp32", 3, sync_bn=False, recipe=recipe)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            own = zoo.create_model(name, input_size=SIZE)
        made = make_network(run, 17)
        assert all(torch.equal(a, b) for a, b in zip(own.parameters(), made.parameters(), strict=True))
        head = {"rtmpose_t": "final_layer", "cspnext_t_udp": "final", "simcc_mobilenetv2": "mlp_head_x"}[name]
        weight = getattr(made.head, head).weight
        assert float(weight.detach().std()) == pytest.approx(deviation, rel=0.1)


def test_rates_and_decays_go_to_the_right_parameters() -> None:
    network = zoo.create_model("vitpose_s", input_size=SIZE)
    optimizer = make_optimizer(network, recipe_of("vitpose", "vitpose_s"))
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert len(groups) == sum(1 for _ in network.parameters())
    names = {
        "backbone.pos_embed": (0, 0.8**13), "backbone.patch_embed.projection.weight": (0.1, 0.8**13),
        "backbone.layers.0.attn.qkv.weight": (0.1, 0.8**12), "backbone.layers.11.ffn.layers.1.weight": (0.1, 0.8),
        "backbone.layers.11.ln1.weight": (0, 0.8), "backbone.ln1.bias": (0, 1), "head.final.weight": (0.1, 1),
    }  # fmt: skip
    parameters = dict(network.named_parameters())
    for name, (decay, scale) in names.items():
        group = groups[id(parameters[name])]
        assert (group["weight_decay"], group["lr_scale"]) == (decay, pytest.approx(scale))


def test_the_average_follows_fast_at_first_and_slowly_later() -> None:
    network = nn.BatchNorm1d(2)
    average = make_average(network, 0.01)
    average.update_parameters(network)
    with torch.no_grad():
        network.weight.fill_(3)
        network.running_mean.fill_(7)  # type: ignore[union-attr]
    average.update_parameters(network)
    assert float(average.module.weight[0].detach()) == pytest.approx(1 + 2 * 9 / 11)
    assert float(average.module.running_mean[0]) == pytest.approx(7 * 9 / 11)
    for _ in range(2000):
        average.update_parameters(network)
    with torch.no_grad():
        network.weight.fill_(4)
    average.update_parameters(network)
    assert float(average.module.weight[0].detach()) == pytest.approx(3.01, abs=1e-4)


def test_what_a_published_recipe_shows() -> None:
    recipe = recipe_of("rtmpose", "rtmpose_s", half_body=False)
    someone = Person(1, (40, 30, 60, 180), joints=np.zeros((17, 2), np.float32), visible=np.ones(17, np.float32))
    usual = plain_view(someone, SIZE, recipe)
    for one, scale, turn in ((recipe, 0.4, 80), (recipe.at_the_end, 0.25, 60)):
        views = [random_view(someone, COCO, SIZE, one, np.random.default_rng((4, i))) for i in range(1500)]
        factors = np.array([view.size_px[0] / usual.size_px[0] for view in views])
        turns = np.array([view.rotation for view in views])
        shifts = np.array([(view.center - usual.center) / usual.size_px for view in views])
        assert 0.97 * scale < np.abs(factors - 1).max() <= scale  # drawn anew beyond, not piled up at the ends
        assert np.mean(np.abs(factors - 1) > 0.99 * scale) < 0.02
        assert 0.97 * turn < np.abs(turns).max() <= turn
        assert np.mean(turns != 0) == pytest.approx(0.6, abs=0.04)
        moved = (shifts != 0).any(1)
        assert np.mean(moved) == pytest.approx(0.3 if one is recipe else 0, abs=0.04)
        assert np.abs(shifts).max() <= 0.16
    grey = np.full((60, 40, 3), 128, np.uint8)
    only = replace(recipe, colour_jitter=0, blur_prob=0, median_blur_prob=0)
    areas = []
    for i in range(200):
        blank = (disturb(grey, only, np.random.default_rng((5, i))) == 0).all(2)
        rows, columns = blank.any(1), blank.any(0)
        assert (blank == np.outer(rows, columns)).all()
        areas.append((rows.sum() / 60, columns.sum() / 40))
    assert (np.min(areas), np.max(areas)) == (pytest.approx(0.2, abs=0.02), pytest.approx(0.4, abs=0.02))
    picture = np.random.default_rng(0).integers(0, 256, (60, 40, 3)).astype(np.uint8)
    calm = replace(only, blank_prob=0)
    assert disturb(picture, calm, np.random.default_rng(0)) is picture
    jitter = [disturb(picture, replace(calm, colour_jitter=1.0), np.random.default_rng(i)) for i in range(20)]
    assert any((one != picture).mean() > 0.5 for one in jitter)
    assert (
        max(abs(one.astype(int).max(2) - picture.max(2)).max() for one in jitter) <= 31
    )  # the value, by 30 and rounding
    plan = BatchPlan(range(8), 8, 4, 2, seed=0, last_epochs=1)
    assert [len(key) for keys in plan for key in keys] == [2] * 24 + [3] * 8


@pytest.mark.parametrize(("name", "recipe_name"), [("rtmpose_t", "rtmpose"), ("cspnext_t_udp", "cspnext_udp")])
def test_they_learn_crops_by_heart(name: str, recipe_name: str) -> None:
    """Crop, target, loss and optimiser of SimCC and of UDP: a mistake in any of them leaves it where it began."""
    recipe = recipe_of(recipe_name, name, SIZE, epochs=1, batch=8, lr=3e-3)
    torch.manual_seed(0)
    network = zoo.create_model(name, input_size=SIZE).train()
    codec = codec_of(network, SIZE)
    still = replace(
        recipe, half_body_prob=0, flip_prob=0, rot_prob=0, scale_factor=0, shift_prob=0, colour_jitter=0, blur_prob=0,
        median_blur_prob=0, blank_prob=0,
    )  # fmt: skip
    crops = Samples(SyntheticDataset(8, 0, "portraits"), SIZE, still, 0, codec)
    images, target, weight = default_collate([crops[0, index] for index in range(8)])
    optimizer = make_optimizer(network, recipe)
    found = []
    for step in range(25):
        optimizer.param_groups[0]["lr"] = recipe.lr * min(1, (step + 1) / 10)
        prediction = network(normalise(images))
        loss = codec.loss(prediction, target, weight, recipe.loss)
        found.append((float(loss.detach()), float(codec.accuracy(prediction, target, weight))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert found[0][1] < 0.15
    assert found[-1][1] > 0.2
    assert found[-1][0] < 0.75 * found[0][0]


def test_a_training_with_an_average_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(train_command, "VALIDATION_IMAGES", 1)
    common = [
        "--model", "rtmpose_s", "--recipe", "rtmpose", "--input", "64x64", "--samples", "4", "--batch", "2", "--epochs",
        "2", "--lr", "1e-3", "--workers", "0", "--threads", "1", "--device", "cpu", "--checkpoint-every", "1",
        "--results", str(tmp_path / "results"), "--quiet",
    ]  # fmt: skip
    assert main([*common, "--out", str(tmp_path / "whole")]) == 0
    real, calls = next_batch, iter(range(9))

    def stopping(batches, what):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return real(batches, what)

    monkeypatch.setattr(engine, "next_batch", stopping)
    with pytest.raises(KeyboardInterrupt):
        main([*common, "--out", str(tmp_path / "parts")])
    monkeypatch.setattr(engine, "next_batch", real)
    assert main([*common, "--out", str(tmp_path / "parts"), "--resume"]) == 0
    (whole,), (parts,) = (list((tmp_path / folder).glob("*/last.safetensors")) for folder in ("whole", "parts"))
    kept, resumed = load_file(whole), load_file(parts)
    assert all(torch.equal(value, resumed[key]) for key, value in kept.items())
    first, _ = read(tmp_path / "results")
    assert first.protocol["recipe"] == "rtmpose"
    assert first.options["loss"] == "kl_sharp"
    assert first.protocol["average_momentum"] == 2e-4
    # What is kept is the average, not the weights of the last step.
    last = torch.load(whole.with_name("last.pt"), weights_only=True)
    name = next(key for key in last["model"] if key.endswith("cls_x.weight"))
    assert any(torch.equal(value, last["average"][f"module.{name}"]) for value in kept.values())
    assert not any(torch.equal(value, last["model"][name]) for value in kept.values())
    # Whichever of the files is given as weights.
    loaded = zoo.create_model("rtmpose_s", input_size=(64, 64), weights=whole.with_name("last.pt")).state_dict()
    assert all(torch.equal(value, kept[key]) for key, value in loaded.items())
