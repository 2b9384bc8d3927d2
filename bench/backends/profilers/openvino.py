"""OpenVINO's performance counts, read together with the graph as it runs."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.backends.artifact import Artifact
from bench.backends.catalogue import Backend
from bench.backends.families.openvino import open_request, opening, read_model
from bench.backends.profiles import Executed, Part, Profile, ProfiledSession, Value, layer_of, layers_of, operator_name
from bench.core.errors import InputError

if TYPE_CHECKING:
    from bench.backends.building import Network

BYTES = {"f32": 4, "f16": 2, "bf16": 2, "i8": 1, "u8": 1, "i32": 4, "i64": 8, "u32": 4, "u64": 8, "boolean": 1}
VIEWS = ("Reshape",)
CONSTANT = ("Constant", "Parameter", "Result")  # kinds that compute nothing
MULTIPLYING = (
    "Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData", "MatMul",
    "ScaledDotProductAttention",
)  # fmt: skip

BIASED = ("Convolution", "GroupConvolution", "MatMul")


def open_profiled(backend: Backend, artifact: Artifact, device: str, threads: int) -> ProfiledSession:
    """A session with performance counts.

    Raises:
        InputError: the file cannot be opened.
    """
    return _Session(artifact, threads)


def unquantised(backend: Backend, network: Network) -> Artifact:
    """The file that a quantiser gets, or the one in float32."""
    from bench.backends.families.openvino import convert

    return Artifact(backend.name, "fp32", (convert(network, shuffle_blocks=not backend.quantises).path,))


def values(artifact: Artifact, images: np.ndarray, threads: int) -> list[Value]:
    """What every operator puts out, in order; what is quantised as it reads after that."""
    model = read_model(artifact.file)
    outputs = [result.input_value(0).get_node().get_friendly_name() for result in model.get_results()]
    shown: list[tuple[Any, Any]] = []  # operators, and the port that is read
    for one in model.get_ordered_ops():
        if one.get_type_name() in (*CONSTANT, "FakeQuantize", "Convert"):
            continue
        for port in one.outputs():
            readers = [reader.get_node() for reader in port.get_target_inputs()]
            rounded = next((reader for reader in readers if reader.get_type_name() == "FakeQuantize"), None)
            last = any(reader.get_type_name() == "Result" for reader in readers)
            if port.get_element_type().is_real() and not last and not _is_of_weights(one):
                shown.append((one, port if rounded is None else rounded.output(0)))
    first = len(model.outputs)
    model.add_outputs([port for _, port in shown])
    request = open_request(model, threads, artifact.precision)
    request.infer([images])
    found = [np.array(request.get_output_tensor(first + index).data, np.float32) for index in range(len(shown))]
    request_outputs = [np.array(request.get_output_tensor(index).data, np.float32) for index in range(first)]
    told = [_value(one, port, array) for (one, port), array in zip(shown, found)]
    ends = [
        Value(f"{name}:output", layer_of(name), "output", array, is_output=True)
        for name, array in zip(outputs, request_outputs)
    ]
    return told + ends


def _value(operator: Any, port: Any, array: np.ndarray) -> Value:
    name = operator.get_friendly_name()
    return Value(f"{name}:{port.get_index()}", layer_of(name), operator.get_type_name(), array)


def _is_of_weights(operator: Any) -> bool:
    """Whether it computes on constants alone."""
    nodes = [operator]
    while nodes:
        node = nodes.pop()
        if node.get_type_name() == "Parameter":
            return False
        nodes += [one.get_source_output().get_node() for one in node.inputs()]
    return True


class _Session(ProfiledSession):
    def __init__(self, artifact: Artifact, threads: int) -> None:
        self.path = artifact.file
        with opening(artifact.file):
            self.request: Any = open_request(
                read_model(artifact.file), threads, artifact.precision, {"PERF_COUNT": True}
            )
        self.means: list[dict[str, float]] = []  # seconds of every node, over all inferences until then
        self.whole: list[float] = []  # seconds of every inference
        self.ran: dict[str, None] = {}  # nodes that took a microsecond or more at least once: it counts whole ones

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        started = time.perf_counter()
        found = self.request.infer([images], share_inputs=True, share_outputs=True)
        self.whole.append(time.perf_counter() - started)
        return [np.array(value, np.float32) for value in found.values()]

    def collect(self) -> None:
        counts = self.request.profiling_info
        self.means.append({one.node_name: one.real_time.total_seconds() for one in counts})
        self.ran.update((one.node_name, None) for one in counts if one.status == one.Status.EXECUTED)

    def profile(self) -> Profile:
        if not self.means:
            raise InputError("OpenVINO's performance counts hold no inference: run one first")
        model = self.request.get_compiled_model().get_runtime_model()
        running = {one.get_friendly_name(): one for one in model.get_ops()}
        told = {name: {key: str(value.value) for key, value in one.get_rt_info().items()}
                for name, one in running.items()}  # fmt: skip
        sources = {name: one.get("originalLayersNames", "").split(",") for name, one in told.items()}
        parts = self._parts({source for of_one in sources.values() for source in of_one})
        names = [name for name in self.means[0] if name in self.ran]
        operators = []
        for name in names:
            node, about = running.get(name), told.get(name, {})
            kind = about.get("layerType", "unknown")
            operators.append(
                Executed(
                    name, kind, tuple(parts[source] for source in sources.get(name, ()) if source in parts),
                    0 if node is None or kind in VIEWS else _moved(node), about.get("primitiveType", ""),
                )
            )  # fmt: skip
        return Profile(tuple(operators), self._rounds(names))

    def _rounds(self, names: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        """Seconds of the nodes in every inference. OpenVINO tells their means over all inferences so far, in whole
        microseconds: each inference gets what the mean makes of the time that the whole of it took. The first quarter,
        where all is new, is no part of the means."""
        count, first = len(self.means), len(self.means) // 4
        before = self.means[first - 1] if first else dict.fromkeys(names, 0.0)
        mean = [(count * self.means[-1][name] - first * before[name]) / (count - first) for name in names]
        usual = statistics.fmean(self.whole[first:])
        return tuple(tuple(max(0.0, one) * whole / usual for one in mean) for whole in self.whole)

    def _parts(self, claimed: Set[str]) -> dict[str, Part]:
        """The operators of the file, by the names that OpenVINO calls them by; nobody needs to hear of a bias.

        Args:
            claimed: names that operators have as they run. A product that is not among them runs under the name of the
                addition of its bias.
        """
        operators = [one for one in read_model(self.path).get_ordered_ops() if one.get_type_name() not in CONSTANT]
        layers = layers_of((one.get_friendly_name(), one.get_type_name(), _sources(one)) for one in operators)
        parts = {}
        for one in operators:
            name, product = one.get_friendly_name(), _biased(one)
            whole = name if "/" in name else operator_name(layers[name], name)
            if product is None:
                parts[name] = Part(whole, one.get_type_name(), _macs(one))
            elif product in parts and product not in claimed:
                parts[name] = parts[product]
        return parts

    def close(self) -> None:
        self.request = None


def _sources(operator: Any) -> list[str]:
    """The operators that it reads from, by name."""
    return [one.get_source_output().get_node().get_friendly_name() for one in operator.inputs()]


def _biased(operator: Any) -> str | None:
    """The convolution or product that an addition of constants adds a bias to, by name."""
    if operator.get_type_name() != "Add":
        return None
    sources = [one.get_source_output().get_node() for one in operator.inputs()]
    if not any(one.get_type_name() == "Constant" for one in sources):
        return None
    found = (one.get_friendly_name() for one in sources if one.get_type_name() in BIASED)
    return next(found, None)


def _macs(operator: Any) -> int:
    """Multiply-adds; what is none of these operators counts nothing."""
    kind = operator.get_type_name()
    if kind not in MULTIPLYING:
        return 0
    first, second = (list(one.get_shape()) for one in operator.inputs()[:2])
    output = math.prod(operator.output(0).get_shape())
    if kind == "ScaledDotProductAttention":  # queries by keys, [..., L, E] by [..., S, E], and weights by values
        return (math.prod(first) + output) * int(second[-2])
    if kind == "MatMul":
        return output * int(first[-2 if operator.get_attributes().get("transpose_a") else -1])
    # [out, in, kh, kw], with the groups before them where there are any; transposed: [in, out, kh, kw]
    per = math.prod(second[2:] if kind.startswith("Group") else second[1:])
    return (math.prod(first) if kind.endswith("BackpropData") else output) * per


def _moved(node: Any) -> int:
    """Bytes of its inputs and outputs, in the numbers that they have as it runs."""
    read = sum(_bytes(one.get_source_output()) for one in node.inputs())
    return read + sum(_bytes(one) for one in node.outputs())


def _bytes(port: Any) -> int:
    told = port.get_node().get_rt_info()
    kinds = str(told["outputPrecisions"].value).split(",") if "outputPrecisions" in told else ["f32"]
    kind = kinds[min(port.get_index(), len(kinds) - 1)]
    return math.prod(port.get_shape()) * BYTES.get(kind, 4)
