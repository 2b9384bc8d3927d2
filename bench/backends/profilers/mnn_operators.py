"""What an MNN file was made of: the operators of the ONNX file, kept beside it for ``open_profiled``.

MNN's callbacks tell the name of a tensor and nothing else; kind, layer and cost come from here.
"""

import json
import math
from pathlib import Path

from bench.backends.profilers.onnxruntime import OnnxGraph


def describe(onnx_file: Path, path: Path) -> None:
    """Write what ``open_profiled`` has to know of the file that was converted."""
    graph = OnnxGraph(onnx_file)
    told = {
        tensor: {
            "name": graph.part(node).name, "kind": node.op_type, "macs": graph.part(node).macs,
            "inputs": [one for one in node.input if one in graph.made_by],
            "weights": sum(math.prod(graph.sizes[one]) for one in node.input if one in graph.constants),
        }
        for tensor, node in graph.made_by.items()
    }  # fmt: skip
    path.write_text(json.dumps(told))


def description_of(path: Path) -> Path:
    """Where the description of an MNN file lies."""
    return path.with_suffix(".operators.json")
