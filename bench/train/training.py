"""One training from start to record, in a folder of its own that it can go on from."""

import contextlib
import csv
import hashlib
import io
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from pydantic import ValidationError
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.tensorboard import SummaryWriter

import zoo
from bench import cli
from bench.accuracy.predicting import evaluate
from bench.backends.families.pytorch import arrays
from bench.backends.precisions import arithmetic, channels_last
from bench.codecs.codec import codec_of
from bench.core import machine
from bench.core.errors import InputError
from bench.core.files import write_whole
from bench.core.processes import user_code
from bench.core.record import Record, now
from bench.core.results import only_one
from bench.data import Dataset
from bench.data.json_files import Fingerprints
from bench.model_files.description import in_a_line
from bench.models import build, is_factory, network_sha256, recorded_name
from bench.timing import parity
from bench.train import checkpoint, curve
from bench.train.engine import Callbacks, DivergedError, Row, State, loss_of, train
from bench.train.initial import initialise
from bench.train.optimizers import make_average, make_optimizer
from bench.train.recipe import Recipe, Scalar
from bench.train.samples import BatchPlan, Samples, start
from bench.weights import state_sha256
from zoo.weights.imagenet import load_backbone

LAST = "last.pt"  # of a training's folder: what it can go on from
# Of a training's identity: what checkpoints did not hold at first.
LATER = ("tensors", "initial weights", "factory's weights", "validation", "validation's fingerprint")
NUMBERS = 256  # that are kept of what a network makes of an image


@dataclass(frozen=True)
class Training:
    """What decides the result of a training, besides the data."""

    model: str  # as named on the command line
    attention: str | None  # of the lightweight head; other networks have none
    init: str  # scratch, imagenet, imagenet:FILE or a checkpoint file
    input: tuple[int, int]
    samples: int  # an epoch
    precision: str
    seed: int
    sync_bn: bool
    recipe: Recipe

    def folder_name(self, dataset: str) -> str:
        """Readable, and different for all that one command may train."""
        model = recorded_name(self.model).replace(":", "-").replace("/", "-")
        parts = [model, self.attention, self.recipe.loss, dataset, cli.input_text(self.input), f"seed{self.seed}"]
        return "_".join(part for part in parts if part)


@dataclass(frozen=True)
class TrainingData:
    """Who to learn from, and who to find in validation."""

    train: Dataset
    people: range | tuple[int, ...]  # those of ``train`` with labelled joints
    validation: Dataset


@dataclass(frozen=True)
class TrainingOptions:
    """How to go about it; none of it changes the weights."""

    folder: Path
    workers: int
    validate_every: int  # epochs
    checkpoint_every: int  # steps
    resume: bool


def execute(run: Training, data: TrainingData, work: TrainingOptions, fabric: Fabric, step: cli.Step) -> Record | None:
    """Train, or go on with it, to the end.

    Args:
        run: what to train.
        data: on what.
        work: where, and how.
        fabric: from ``bench.distributed.launch``.
        step: called with the number of samples since the last call, and how it goes.

    Returns:
        The record, also of a training that was finished before; ``None`` in all processes but the first.

    Raises:
        InputError: something does not fit together, a sample cannot be had, a file cannot be written, or another
            process trains into the same folder.
        DivergedError: the loss is no number any more.
    """
    first = fabric.is_global_zero
    with only_one(work.folder.parent, work.folder.name, "--out") if first else contextlib.nullcontext():
        return _execute(run, data, work, fabric, step)


def _execute(run: Training, data: TrainingData, work: TrainingOptions, fabric: Fabric, step: cli.Step) -> Record | None:
    started_at = now()
    plan = BatchPlan(
        data.people, run.samples, run.recipe.epochs, run.recipe.batch, run.seed, fabric.global_rank, fabric.world_size,
        last_epochs=run.recipe.last_epochs,
    )  # fmt: skip
    network = make_network(run, len(data.train.skeleton.joints))
    identity = _identity(run, data, fabric, network)
    resumed = _resumed(work, identity, loud=fabric.is_global_zero)
    if resumed:
        _check_network(run, work.folder / LAST, resumed, network.to(fabric.device), loud=fabric.is_global_zero)
    if resumed and resumed["finished"]:
        finished = read_finished(work.folder)
        step(len(plan) * plan.batch * plan.processes, "finished before", earlier=True)
        return finished if fabric.is_global_zero else None

    codec = codec_of(network, run.input, run.model)
    model, optimizer = _set_up(network, run, fabric)
    average = make_average(network, run.recipe.average_momentum) if run.recipe.average_momentum else None
    state = State()
    samples = Samples(data.train, run.input, run.recipe, run.seed, codec)
    torch.manual_seed(run.seed + fabric.global_rank)
    if resumed:
        with checkpoint.readable(work.folder / LAST):
            state = State(**resumed["state"])
            network.load_state_dict(resumed["model"])
            optimizer.load_state_dict(resumed["optimizer"])
            if average is not None:
                average.load_state_dict(resumed["average"])
            fabric.strategy.precision.load_state_dict(resumed["precision"])
            checkpoint.set_rng_state(resumed["rng"][fabric.global_rank])
    later = replace(plan, start=state.step)
    session = _TrainingSession(
        run, data, work, fabric, network, average, optimizer, identity, step, plan.steps, state.step
    )
    try:
        with session:
            batches = start(samples, later, workers=work.workers, pin=fabric.device.type == "cuda")
            train(fabric, model, optimizer, batches, state, run.recipe, plan.steps, session.callbacks, codec)
            return session.finish(state, started_at)
    except DivergedError as error:
        raise DivergedError(f"{error}; {session.kept()}; a lower --lr may help") from error
    except InputError as error:
        raise InputError(f"{error}; {session.kept()}") from error
    except OSError as error:
        where = error.filename or work.folder
        raise InputError(
            f"{where} cannot be written after step {state.step} ({error.strerror or error}); {session.kept()}"
        ) from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted after step {state.step}; {session.kept()}") from None


def read_finished(folder: Path) -> Record:
    """The record of a training that has come to its end, which leaves its last weights beside it.

    Raises:
        InputError: one of the two is gone or damaged, or they are not of one training.
    """
    told, weights = folder / "record.json", folder / "last.safetensors"
    if not told.is_file() or not weights.is_file():
        missing = weights if told.is_file() else told
        raise InputError(f"{folder} is no finished training: {missing.name} is not there")
    try:
        record = Record.model_validate_json(told.read_bytes())
    except ValidationError as error:
        raise InputError(f"{told} is damaged ({in_a_line(error, Record.model_fields)}): get the file again") from error
    if record.weights_sha256 != hashlib.sha256(weights.read_bytes()).hexdigest():
        raise InputError(f"{weights} is damaged or not the file that {told.name} is of: its SHA-256 is another")
    return record


def make_network(run: Training, num_joints: int) -> nn.Module:
    """The network at the start of a training.

    Raises:
        InputError: it cannot be built, or does not give what a network of its kind is trained to give, such as
            heatmaps of a quarter of its input.
        ZooError: unknown network or option, or weights that cannot be had.
    """
    options = {"attention": run.attention} if run.attention not in (None, "parallel") else {}
    network = build(
        run.model, num_joints=num_joints, input_size=run.input, seed=run.seed, options=options, any_type=True  # type: ignore[arg-type]
    )  # fmt: skip
    # A user's network begins as its factory made it, a newer one as it was published, timm's backbones as timm does.
    if run.model in zoo.list_models("paper"):
        initialise(network, run.seed)
    elif ":timm/" in run.model:
        initialise(network.head, run.seed)  # type: ignore[arg-type]
    source, _, file = run.init.partition(":")
    if source == "imagenet":
        load_backbone(network, file or "torchvision")
    elif run.init != "scratch":
        zoo.load_weights(network, run.init)
    with user_code(run.model, f"fails on an input of {cli.input_text(run.input)}"), torch.no_grad():
        output = network(torch.zeros(1, 3, *run.input))
    shapes = [tuple(getattr(leaf, "shape", ())) for leaf in tree_leaves(output)]
    wanted = codec_of(network, run.input, run.model).trained_shapes(num_joints)
    if shapes not in wanted:
        given, needed = (" and ".join(map(str, one)) for one in (shapes, wanted[0]))
        raise InputError(f"{run.model} gives {given} for one input of {cli.input_text(run.input)}: {needed} is needed")
    return network


def rehearse(run: Training, num_joints: int) -> None:
    """One step of a training on a network that is then thrown away: what cannot be trained is found before any work.

    Raises:
        InputError: see ``make_network``; or it cannot learn, or its weights cannot be kept.
        ZooError: see ``make_network``.
    """
    network = make_network(run, num_joints)
    kept = [
        name
        for name, value in network.state_dict().items()
        if not (isinstance(value, torch.Tensor) and value.layout == torch.strided)
    ]
    if kept:
        raise InputError(f"{run.model} keeps {kept[0]} beside its weights, which is no dense tensor: leave it out")
    codec = codec_of(network, run.input, run.model)
    height, width = run.input
    middle = np.full((num_joints, 2), (width / 2, height / 2))
    target, weight = codec.target(middle, np.full(num_joints, 2.0), run.recipe.sigmas, run.recipe.loss)
    count = min(run.recipe.batch, 2)  # norms take a batch of one for another thing than several
    with user_code(run.model, "cannot be trained"), torch.random.fork_rng(devices=[]):
        if run.recipe.average_momentum:
            make_average(network, run.recipe.average_momentum)  # a copy of the network
        prediction = network.train()(torch.rand(count, 3, height, width))
        targets, weights = tree_map(lambda one: torch.stack([one] * count), (target, weight))
        loss_of(prediction, targets, weights, run.recipe.loss, codec).backward()  # type: ignore[no-untyped-call]


def _set_up(network: nn.Module, run: Training, fabric: Fabric) -> tuple[nn.Module, torch.optim.Optimizer]:
    if run.sync_bn:
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    if fabric.device.type == "cuda":
        channels_last(network)
        torch.backends.cudnn.benchmark = True
    return fabric.setup(network, make_optimizer(network, run.recipe))


def _identity(run: Training, data: TrainingData, fabric: Fabric, network: nn.Module) -> dict[str, Scalar]:
    """All that decides the weights, and which of them are the best, by names that a user knows."""
    decided: dict[str, Scalar] = {
        "model": recorded_name(run.model),
        "tensors": _tensors(network),
        "attention": run.attention or "",
        "init": run.init,
        "initial weights": taken_over(run, network),
        "factory's weights": made_by_factory(run, network),
        "dataset": data.train.name,
        "data set's annotations": _annotations(data.train),
        "data set's fingerprint": data.train.fingerprint,
        "validation": data.validation.name,
        "validation's annotations": _annotations(data.validation),
        "validation's fingerprint": data.validation.fingerprint,
        "input": cli.input_text(run.input),
        "samples": run.samples,
        "precision": run.precision,
        "seed": run.seed,
        "processes": fabric.world_size,
        "sync-bn": run.sync_bn,
        "recipe": run.recipe.name,
    }
    return decided | {key: value for key, value in run.recipe.flat().items() if key != "name"}


def _annotations(dataset: Dataset) -> str:
    """Of the annotations alone, where pictures lie beside them."""
    found: Fingerprints | None = getattr(dataset, "fingerprints", None)
    return found.annotations if found else dataset.fingerprint


def taken_over(run: Training, network: nn.Module) -> str:
    """The weights that ``--init`` gave a network at its start: a file may have been replaced under the same name."""
    if run.init == "scratch":
        return "none"
    of_backbone = run.init.partition(":")[0] == "imagenet"  # the head is drawn by the seed
    return state_sha256(network.backbone if of_backbone else network)[:16]  # type: ignore[arg-type]


def made_by_factory(run: Training, network: nn.Module) -> str:
    """The weights that a user's own network began with, where they are its own: it may have read them from a file."""
    if run.init != "scratch" or not is_factory(run.model):
        return "none"
    first, second = (state_sha256(one) for one in (network, build(run.model, seed=run.seed, any_type=True)))
    return first[:16] if first == second else "others at each call"


def answer(network: nn.Module, size: tuple[int, int], who: str) -> list[float]:
    """What a network makes of one image, as a few numbers that lie evenly in it; none if that is left to chance.

    Names and shapes of tensors do not tell networks apart that differ in an activation, a stride or a dilation.

    Args:
        network: it stays as it is.
        size: height, width of the image.
        who: the network, for messages.

    Raises:
        InputError: it fails.
    """
    (first,), (second,) = (_answer(network, _image(size), who) for _ in range(2))
    return first.tolist() if np.isfinite(first).all() and np.array_equal(first, second) else []


def _image(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).random((1, 3, *size), np.float32)


def _answer(network: nn.Module, images: np.ndarray, who: str) -> list[np.ndarray]:
    place = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    training, generators = network.training, checkpoint.rng_state()
    network.eval()
    with user_code(who, "fails on an image"), torch.no_grad(), arithmetic("fp32"):
        torch.manual_seed(0)
        numbers = np.concatenate([one.ravel() for one in arrays(network(torch.from_numpy(images).to(place)))])
    network.train(training)
    checkpoint.set_rng_state(generators)  # of which a checkpoint holds the states already
    return [numbers[np.linspace(0, len(numbers) - 1, min(NUMBERS, len(numbers))).astype(int)]]


def _check_network(run: Training, last: Path, resumed: dict[str, Any], network: nn.Module, *, loud: bool) -> None:
    """Fail if a checkpoint's weights make something else of an image in this network than in the one that was trained.

    Raises:
        InputError: they do, or the checkpoint is damaged.
    """
    with checkpoint.readable(last):
        network.load_state_dict(resumed["model"])
        theirs = np.array(resumed.get("answer", []), np.float32)
    ours = np.array(answer(network, run.input, run.model), np.float32)
    if len(theirs) and len(ours):
        images = _image(run.input)
        rounding = parity.rounding(lambda moved: _answer(network, moved, run.model), images, [ours])
        same = theirs.shape == ours.shape and parity.difference([theirs], [ours]) <= parity.allowed("fp32", rounding)
        if not same:
            raise InputError(
                f"{last} is of another training ({run.model} computes something else with the same weights): give "
                "another --out, or the network as it was"
            )
    if loud and resumed.get("sources", network_sha256(run.model)) != network_sha256(run.model):
        cli.warn(f"{run.model}: its source has changed since {last} was written; what it computes has not")


def _tensors(network: nn.Module) -> str:
    """Names and shapes of a network's tensors: files in two folders may have networks of one name."""
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    numbers = sum(map(math.prod, shapes.values()))
    digest = hashlib.sha256(repr(sorted(shapes.items())).encode()).hexdigest()
    return f"{len(shapes)} of {numbers:,} numbers ({digest[:8]})"


def _resumed(work: TrainingOptions, identity: dict[str, Scalar], *, loud: bool) -> dict[str, Any] | None:
    """The checkpoint to go on from.

    Raises:
        InputError: there is one and nobody asked to go on from it; or it is of another training.
    """
    last = work.folder / LAST
    if not last.is_file():
        return None
    if not work.resume:
        raise InputError(f"{work.folder} holds a training: --resume goes on with it, another --out starts anew")
    resumed = checkpoint.load(last)
    theirs = {key: identity[key] for key in LATER} | resumed["run"]
    # Annotations are a part of their fingerprint.
    names = [name for name in dict.fromkeys((*identity, *theirs)) if not name.endswith(" annotations")]
    keys = [name for name in names if theirs.get(name) != identity.get(name)]
    for name, whose in (("dataset", "data set's"), ("validation", "validation's")):
        fingerprint, annotations = f"{whose} fingerprint", f"{whose} annotations"
        # A training that ends at a damaged picture can go on when that is mended.
        if fingerprint in keys and resumed["run"].get(annotations) == identity[annotations]:
            keys.remove(fingerprint)
            if loud:
                cli.warn(f"{identity[name]}: pictures have other sizes in bytes than when {last} was written")
    differing = [f"{key} {theirs.get(key)} there, {identity.get(key)} here" for key in keys]
    if differing:
        raise InputError(f"{last} is of another training ({'; '.join(differing)}): give another --out")
    return resumed


class _TrainingSession:
    """What one sitting keeps beside the steps: checkpoints, logs, validation, progress."""

    def __init__(
        self, run: Training, data: TrainingData, work: TrainingOptions, fabric: Fabric, network: nn.Module,
        average: AveragedModel | None, optimizer: torch.optim.Optimizer, identity: dict[str, Scalar], step: cli.Step,
        steps: int, start: int,
    ) -> None:  # fmt: skip
        self.run, self.data, self.work, self.fabric = run, data, work, fabric
        self.network, self.average, self.optimizer, self.identity = network, average, optimizer, identity
        self.result = network if average is None else average.module  # what is validated and kept
        self.step, self.steps = step, steps
        self.callbacks = Callbacks(self.look, self.validate, self.save, work.checkpoint_every, self.stepped)
        self.together = run.recipe.batch * fabric.world_size
        self.sources = network_sha256(run.model)
        self.saved = start  # the step of last.pt
        self.told = 0
        self.writer: SummaryWriter | None = None

    def __enter__(self) -> None:
        self.step(self.saved * self.together, self.run.model, earlier=True)
        self.told = self.saved
        if self.fabric.is_global_zero:
            self.work.folder.mkdir(parents=True, exist_ok=True)
            # What an interrupted sitting logged after its last checkpoint is logged anew.
            self.writer = SummaryWriter(str(self.work.folder), purge_step=self.saved + 1)  # type: ignore[no-untyped-call]

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()  # type: ignore[no-untyped-call]

    def stepped(self) -> None:
        if self.average is not None:
            self.average.update_parameters(self.network)

    def look(self, state: State, seen: Row) -> None:
        """Tell how it goes."""
        epoch = -(-state.step // self.steps)
        word = f"epoch {epoch}/{self.run.recipe.epochs}, loss {seen['loss']:.3g}, accuracy {seen['accuracy']:.2f}"
        if state.seconds:  # of the steps before this one
            left = state.seconds / state.step * (self.steps * self.run.recipe.epochs - state.step)
            waited = min(state.waited / state.seconds, 1)
            word += f", {waited:.0%} waiting for data, {_hours(left)} left"
        self.step((state.step - self.told) * self.together, word)
        self.told = state.step
        if self.writer is not None and (state.step % 10 == 0 or state.step % self.steps == 0):
            self._log(seen, state.step)

    def validate(self, epoch: int) -> Row:
        """The data set's metrics, in the first process; the others wait for it."""
        metrics: Row = {}
        if epoch % self.work.validate_every and epoch != self.run.recipe.epochs:
            return metrics
        if self.fabric.is_global_zero:
            device = self.fabric.device
            with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
                metrics = evaluate(
                    self.result, self.data.validation, self.run.input, batch=self.run.recipe.batch,
                    workers=self.work.workers,
                )  # fmt: skip
        self.fabric.barrier()
        return metrics

    def save(self, state: State) -> None:
        """Keep everything; the best so far under a second name."""
        rng = _gather(checkpoint.rng_state(), self.fabric)
        if self.fabric.is_global_zero:
            self._write(self._content(state, rng, finished=False), best=self._is_best(state))
            if state.step % self.steps == 0:
                row = state.history[-1]
                self._log({key: value for key, value in row.items() if key not in ("epoch", "step")}, state.step)
                write_whole(self.work.folder / "log.csv", _csv(state.history))
        self.saved = state.step

    def finish(self, state: State, started_at: str) -> Record | None:
        """Weights, curve and record; the last thing written says that all is done."""
        if not self.fabric.is_global_zero:
            return None
        folder = self.work.folder
        zoo.save_weights(self.result, folder / "last.safetensors", self.data.train.skeleton)
        title = f"{recorded_name(self.run.model)}, {self.data.train.name}, {cli.input_text(self.run.input)}"
        write_whole(folder / "curve.png", curve.draw(state.history, title, self.data.validation.entry))
        record = self._record(state, started_at)
        write_whole(folder / "record.json", record.to_json().encode())
        self._write(checkpoint.load(folder / LAST) | {"finished": True}, best=False)
        return record

    def kept(self) -> str:
        if not self.saved:
            return f"{self.work.folder} keeps nothing yet"
        return f"{self.work.folder / LAST} keeps step {self.saved}, and --resume goes on from there"

    def _content(self, state: State, rng: list[Any], *, finished: bool) -> dict[str, Any]:
        return {
            "run": self.identity,
            "answer": answer(self.network, self.run.input, self.run.model),
            "sources": self.sources,
            "command": cli.command_line(),
            "finished": finished,
            "state": asdict(state),
            "model": self.network.state_dict(),
            **({"average": self.average.state_dict()} if self.average is not None else {}),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),
            "rng": rng,
        }

    def _write(self, content: dict[str, Any], *, best: bool) -> None:
        last = self.work.folder / LAST
        if not best:
            checkpoint.save(last, content)
            return
        # Best first: should the process die in between, last.pt leads to this point again.
        zoo.save_weights(self.result, self.work.folder / "best.safetensors", self.data.train.skeleton)
        checkpoint.save(self.work.folder / "best.pt", content)
        checkpoint.copy(self.work.folder / "best.pt", last)

    def _is_best(self, state: State) -> bool:
        metric = self.data.validation.entry.main
        if state.step % self.steps or metric not in state.history[-1]:
            return False
        *before, now = (row[metric] for row in state.history if metric in row)
        return all(now > score for score in before)

    def _log(self, row: Row, step: int) -> None:
        if self.writer is not None:
            for key, value in row.items():
                self.writer.add_scalar(key, value, step)  # type: ignore[no-untyped-call]

    def _record(self, state: State, started_at: str) -> Record:
        run, data, recipe, folder = self.run, self.data, self.run.recipe, self.work.folder
        end = {key: value for key, value in state.history[-1].items() if key not in ("step", "learning_rate")}
        metrics = {f"train_{key}" if key in ("loss", "accuracy") else key: value for key, value in end.items()}
        metrics |= {
            "epochs": metrics.pop("epoch"), "steps": state.step, "samples": state.step * self.together,
            "seconds": state.seconds,
        }  # fmt: skip
        metric = data.validation.entry.main
        if any(metric in row for row in state.history):
            best = max((row for row in state.history if metric in row), key=lambda row: row[metric])
            metrics |= {f"best_{metric}": best[metric], "best_epoch": best["epoch"]}
        options: dict[str, Scalar] = {"loss": recipe.loss}
        if run.attention:
            options["attention"] = run.attention
        as_in_paper = recipe.name == "paper" and recipe.epochs == 210 and recipe.batch == 64 and recipe.lr == 5e-4
        return Record(
            kind="train",
            model=recorded_name(run.model),
            options=options,
            input=cli.input_text(run.input),
            num_joints=len(data.train.skeleton.joints),
            backend="eager",
            device=self.fabric.device.type,
            precision=run.precision,  # type: ignore[arg-type]
            batch=recipe.batch,
            threads=torch.get_num_threads(),
            metrics=metrics,
            protocol={
                **recipe.flat(), "name": "paper" if as_in_paper else "custom", "recipe": recipe.name,
                "samples_an_epoch": run.samples, "init": run.init, "processes": self.fabric.world_size,
                "sync_bn": run.sync_bn, "validation": data.validation.name,
                "validation_fingerprint": data.validation.fingerprint, "validation_people": len(data.validation),
            },
            dataset=data.train.name,
            dataset_fingerprint=data.train.fingerprint,
            weights=f"{folder.name}/last.safetensors",
            weights_sha256=hashlib.sha256((folder / "last.safetensors").read_bytes()).hexdigest(),
            seed=run.seed,
            notes={"history": state.history, "workers": self.work.workers},  # type: ignore[dict-item]
            machine=machine.this_machine(str(self.fabric.device)),
            software=machine.this_software(
                f"torch {torch.__version__}", ("lightning-fabric", "opencv-python-headless", "faster-coco-eval")
            ),
            started_at=started_at,
            command=cli.command_line(),
        )  # fmt: skip


def _gather(mine: Any, fabric: Fabric) -> list[Any]:
    """Everyone's, in every process."""
    if fabric.world_size == 1:
        return [mine]
    everyone: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(everyone, mine)
    return everyone


def _csv(history: list[Row]) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(dict.fromkeys(key for row in history for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return stream.getvalue().encode()


def _hours(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
