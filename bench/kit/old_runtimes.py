"""ONNX files for the oldest runtime that can run them: boards often have one of years ago."""

from pathlib import Path

# The first ONNX Runtime that knows an opset; source: its page "ONNX Runtime compatibility".
FIRST_ONNXRUNTIME = {15: "1.10", 16: "1.11", 17: "1.12", 18: "1.14", 19: "1.15", 20: "1.17", 21: "1.18", 22: "1.21"}


def make_old(path: Path) -> str:
    """Rewrite a file with the least IR version that its operators allow, and say what runs it.

    Newer IR versions add types and notes that these graphs do without; a runtime refuses a file by that number alone.

    Returns:
        What a device must have.

    Raises:
        onnx.checker.ValidationError: it is no valid file in that version.
    """
    import onnx

    model = onnx.load(path)
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    # Notes that came with IR version 10, which tell where an operator was in PyTorch's own graph.
    graph = model.graph
    for part in (graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
    least = onnx.helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True)
    model.ir_version = min(model.ir_version, max(least, 8))
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    first = FIRST_ONNXRUNTIME.get(opset)
    which = f"onnxruntime {first} or later" if first else f"an onnxruntime that knows opset {opset}"
    return f"{which} (ONNX opset {opset}, IR version {model.ir_version})"
