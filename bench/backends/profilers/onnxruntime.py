"""ONNX Runtime's profiler: a JSON file of every operator's time, read together with the graph as it was optimised.

Operators that it joins are told by the tensors between them: one that computes ``relu`` from ``x`` computes all that
lies between these two in the file.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.backends.artifact import Artifact
from bench.backends.catalogue import Backend
from bench.backends.families.onnxruntime import open_session
from bench.backends.profiles import Executed, Part, Profile, ProfiledSession, Value, layers_of, operator_name
from bench.core.errors import InputError

if TYPE_CHECKING:
    from bench.backends.building import Network

REORDERS = ("ReorderInput", "ReorderOutput")  # channels into blocks and back
QUANTISING = ("QuantizeLinear", "DequantizeLinear")
VIEWS = ("Reshape", "Unsqueeze", "Squeeze", "Flatten", "Identity")
BLOCKED = "_nchwc"  # ends the name of an operator in blocks of channels, after that of its output in the file
SUFFIX = re.compile(rf"{BLOCKED}$|_token_\d+$")  # what ONNX Runtime adds to names


def open_profiled(backend: Backend, artifact: Artifact, device: str, threads: int) -> ProfiledSession:
    """A session with the profiler on.

    Raises:
        InputError: not on a CPU, or the file cannot be opened.
    """
    if device.startswith("cuda"):
        raise InputError(
            f"backend {backend.name} cannot be explained: ONNX Runtime times the launch of kernels on a GPU, not the "
            "kernels; give --device cpu --backend onnxruntime, or --backend eager"
        )
    return _Session(artifact.file, threads)


def unquantised(backend: Backend, network: Network) -> Artifact:
    """The file that a quantiser gets."""
    from bench.backends.graphs import onnx_export

    return Artifact(backend.name, "fp32", (onnx_export.export(network).path,))


def values(artifact: Artifact, images: np.ndarray, threads: int) -> list[Value]:
    """What every operator puts out, in order; what is quantised as it reads after that."""
    import onnx

    graph = OnnxGraph(artifact.file)
    model = onnx.load(artifact.file)
    known = {one.name for one in model.graph.output}
    wanted: dict[str, str] = {}  # tensors, and where they are read
    for tensor, node in graph.made_by.items():
        if node.op_type in (*QUANTISING, "Constant", "Shape") and tensor not in known:
            continue
        rounded = graph.dequantised(tensor)
        if rounded in graph.floating or tensor in known:
            wanted[tensor] = rounded
    more = [name for name in dict.fromkeys(wanted.values()) if name not in known]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in more)
    with tempfile.TemporaryDirectory(prefix="lightpose-") as folder:
        path = Path(folder) / "values.onnx"
        onnx.save(model, path)
        session = open_session(path, threads, ["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    found = dict(zip(names, session.run(names, {session.get_inputs()[0].name: images})))
    return [
        Value(
            tensor, graph.layers[graph.made_by[tensor].name], graph.made_by[tensor].op_type,
            np.asarray(found[tensor if tensor in known else rounded], np.float32), is_output=tensor in known,
        )
        for tensor, rounded in wanted.items()
    ]  # fmt: skip


class _Session(ProfiledSession):
    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        self.folder = tempfile.TemporaryDirectory(prefix="lightpose-")
        self.optimised = Path(self.folder.name) / "optimised.onnx"
        settings = {
            "enable_profiling": True, "profile_file_prefix": str(Path(self.folder.name) / "profile"),
            "optimized_model_filepath": str(self.optimised),
        }  # fmt: skip
        try:
            self.session: Any = open_session(path, threads, ["CPUExecutionProvider"], settings)
        except InputError:
            self.folder.cleanup()
            raise
        self.name = self.session.get_inputs()[0].name

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        return list(self.session.run(None, {self.name: images}))

    def profile(self) -> Profile:
        events = json.loads(Path(self.session.end_profiling()).read_text())
        rounds = list(_rounds(events))
        if not rounds:
            raise InputError("ONNX Runtime's profiler noted no inference: run one first")
        names = [_name(event) for event in rounds[0]]
        if any([_name(event) for event in one] != names for one in rounds):
            raise InputError("ONNX Runtime does not run the same operators every time: its times cannot be compared")
        parts = self._parts()
        operators = []
        for event in rounds[0]:
            told, name = event["args"], _name(event)
            kind = told["op_name"]
            moved = sum(int(told.get(size, 0)) for size in ("activation_size", "parameter_size", "output_size"))
            # Where the file has no name, the profiler makes one.
            computed = parts.get((name, kind)) or parts.get(("", kind), iter(()))
            kernel = "in blocks of channels" if name.endswith(BLOCKED) else ""
            operators.append(Executed(name, kind, next(computed, ()), 0 if kind in VIEWS else moved, kernel))
        return Profile(tuple(operators), tuple(tuple(event["dur"] / 1e6 for event in one) for one in rounds))

    def _parts(self) -> dict[tuple[str, str], Iterator[tuple[Part, ...]]]:
        """The file's operators that each one computes, by its name, which may be empty, and kind, in order."""
        import onnx

        nodes = onnx.load(self.optimised).graph.node
        found: dict[tuple[str, str], list[tuple[Part, ...]]] = {}
        for node, parts in zip(nodes, OnnxGraph(self.path).parts(nodes)):
            found.setdefault((node.name, node.op_type), []).append(parts)
        return {key: iter(parts) for key, parts in found.items()}

    def close(self) -> None:
        if self.session is not None:
            self.session.end_profiling()  # writes its file even if nobody asks for it
            self.session = None
        self.folder.cleanup()


def _rounds(events: Iterable[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    """The operators of each inference, in the order in which they ran."""
    runs = sorted((e["ts"], e["ts"] + e["dur"]) for e in events if e["name"] == "model_run")
    kernels = sorted(
        (e for e in events if e["cat"] == "Node" and e["name"].endswith("_kernel_time")), key=lambda e: e["ts"]
    )
    for start, end in runs:
        yield [event for event in kernels if start <= event["ts"] <= end]


def _name(event: dict[str, Any]) -> str:
    name: str = event["name"]
    return name[: -len("_kernel_time")]


class OnnxGraph:
    """An ONNX file, as it was before a runtime optimised it."""

    def __init__(self, path: Path) -> None:
        import onnx

        graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
        self.sizes: dict[str, Sequence[int]] = {one.name: list(one.dims) for one in graph.initializer}
        self.constants = set(self.sizes)
        for one in (*graph.input, *graph.value_info, *graph.output):
            self.sizes.setdefault(one.name, [size.dim_value for size in one.type.tensor_type.shape.dim])
        for number, node in enumerate(graph.node):
            node.name = node.name or f"{node.op_type}_{number}"
        kinds = {one.name: one.type.tensor_type.elem_type for one in (*graph.value_info, *graph.output)}
        self.floating = {name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT}
        self.nodes = {node.name: node for node in graph.node}
        self.made_by = {tensor: node for node in graph.node for tensor in node.output}
        self.read_by: dict[str, list[Any]] = {}
        for node in graph.node:
            for tensor in node.input:
                self.read_by.setdefault(tensor, []).append(node)
        # By operator; those that a quantiser added belong to what they round.
        self.layers = layers_of(
            (node.name, node.op_type, [self.made_by[tensor].name for tensor in node.input if tensor in self.made_by])
            for node in graph.node
        )

    def parts(self, nodes: Sequence[Any]) -> list[tuple[Part, ...]]:
        """Of every operator of the optimised graph those of the file that it computes.

        Args:
            nodes: the operators of the optimised graph, sorted.
        """
        reordered = {node.input[0]: node for node in nodes if self._is_reorder(node)}
        same: dict[str, str] = {}  # tensors of the optimised graph that are one of the file in another layout
        targets: list[list[str]] = []
        for node in nodes:
            sources = [same.get(tensor, tensor) for tensor in node.input]
            known = [tensor for tensor in node.output if tensor in self.made_by]
            if self._is_reorder(node):
                targets.append([])
                same.update({} if known else {node.output[0]: sources[0]})
                continue
            if not known and node.output[0] in reordered:
                known = [tensor for tensor in reordered[node.output[0]].output if tensor in self.made_by]
            known = known or self._computed(node, sources)
            same.update(zip(node.output, known))
            targets.append(known)
        reached = {tensor for tensors in targets for tensor in tensors}
        return [self._between(tensors, reached) for tensors in targets]

    def dequantised(self, tensor: str) -> str:
        """The tensor as those read it that follow, if it is quantised in between."""
        for kind in QUANTISING:
            readers = [node for node in self.read_by.get(tensor, ()) if node.op_type == kind]
            if not readers:
                return tensor
            tensor = readers[0].output[0]
        return tensor

    def _is_reorder(self, node: Any) -> bool:
        """Whether ONNX Runtime added it, as it does reshapes around the product that it makes of a linear layer."""
        return node.op_type in REORDERS or (node.op_type in ("Transpose", "Reshape") and node.name not in self.nodes)

    def _computed(self, node: Any, sources: Sequence[str]) -> list[str]:
        """The file's tensor that an operator of the optimised graph computes, by its name or by what it reads."""
        own = SUFFIX.sub("", node.name)
        kind = node.op_type.replace("QLinear", "")
        if own in self.made_by:  # in blocks of channels
            tensor = own
        elif own in self.nodes:
            tensor = self.nodes[own].output[0]
        else:
            readers = [reader for source in sources for reader in self._readers(source) if reader.op_type == kind]
            if not readers:
                return []
            tensor = readers[0].output[0]
        # What it was joined with later lies beyond.
        joined = [attribute.s.decode() for attribute in node.attribute if attribute.name == "activation"]
        if len(node.input) > 3 and node.input[3] and node.op_type == "Conv":
            joined.insert(0, "Add")
        for kind in joined:
            tensor = next((one.output[0] for one in self.read_by.get(tensor, ()) if one.op_type == kind), tensor)
        if kind != node.op_type:
            tensor = self._rounded(tensor)
        return [tensor]

    def _readers(self, tensor: str) -> Iterable[Any]:
        for node in self.read_by.get(tensor, ()):
            yield from self.read_by.get(node.output[0], ()) if node.op_type == "DequantizeLinear" else (node,)

    def _rounded(self, tensor: str) -> str:
        """Where a tensor of floating point is rounded, beyond an activation perhaps."""
        at = tensor
        for _ in range(3):
            readers = self.read_by.get(at, ())
            if self.made_by[at].op_type == "QuantizeLinear":
                return at
            if len(readers) != 1:
                break
            at = readers[0].output[0]
        return tensor

    def _between(self, tensors: Sequence[str], reached: set[str]) -> tuple[Part, ...]:
        found: dict[str, Part] = {}
        open_ends = list(tensors)
        while open_ends:
            node = self.made_by.get(open_ends.pop())
            if node is None or node.name in found:
                continue
            found[node.name] = self.part(node)
            open_ends += [tensor for tensor in node.input if tensor not in reached]
        order = {name: number for number, name in enumerate(self.nodes)}
        return tuple(found[name] for name in sorted(found, key=order.__getitem__) if found[name].kind != "Constant")

    def part(self, node: Any) -> Part:
        name = node.name if "/" in node.name else operator_name(self.layers[node.name], node.name)
        return Part(name, node.op_type, self._macs(node))

    def _macs(self, node: Any) -> int:
        """Multiply-adds; what is none of these operators, or has shapes that are not known, counts nothing."""
        shapes = [self.sizes.get(tensor) for tensor in (*node.input[:2], node.output[0])]
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul") or not all(shapes):
            return 0
        first, second = (self.sizes[tensor] for tensor in node.input[:2])
        output = math.prod(self.sizes[node.output[0]])
        if node.op_type == "Conv":  # [out, in / groups, kh, kw]
            return output * math.prod(second[1:])
        if node.op_type == "ConvTranspose":  # [in, out / groups, kh, kw]
            return math.prod(first) * math.prod(second[1:])
        return output * first[-1]
