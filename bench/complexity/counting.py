"""The two conventions behind the paper's tables, and three libraries' counts beside them.

One multiply-add counts as one, and so does one operation of batch norm, activation or pooling where a
convention counts those at all. Both conventions see leaf modules by their exact type only: what
is called as a function counts nothing.

* ``mmcv``: the counter that MMPose reports with (rows SimpleBaseline, ViPNAS and the paper's own).
* ``torchstat``: the counter of the Lite-HRNet release (rows Small HRNet and Lite-HRNet).
"""

import contextlib
import copy
import inspect
import io
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from zoo.blocks import Pointwise
from zoo.dite_hrnet import KernelBank

Count = Callable[[Any, Tensor, Tensor], int]  # of a module, its input and its output


@dataclass(frozen=True)
class Layer:
    """A leaf module: what it holds and what it costs."""

    name: str
    type: str
    output: tuple[int, ...]
    params: int
    mmcv: int
    torchstat: int


def _convolution(module: nn.Conv2d, x: Tensor, y: Tensor) -> int:
    per_output = module.weight[0].numel() + (module.bias is not None)
    return y.numel() * per_output


def _transposed(module: nn.ConvTranspose2d, x: Tensor, y: Tensor) -> int:
    """Every input element meets a kernel of each output channel of its group; the bias is added per output."""
    return x.numel() * module.weight[0].numel() + (y.numel() if module.bias is not None else 0)


def _linear(module: nn.Linear, x: Tensor, y: Tensor) -> int:
    """Products alone: neither counter adds the bias of a linear layer."""
    return y.numel() * module.in_features


def _dynamic_convolution(module: KernelBank, x: Tensor, y: Tensor) -> int:
    """The Dite-HRNet release's copy of torchstat counts it as a convolution; how the kernels are mixed, nobody does."""
    return y.numel() * module.weight[0, 0].numel()


def _normalisation(module: nn.Module, x: Tensor, y: Tensor) -> int:
    return 2 * x.numel()


def _per_input(module: nn.Module, x: Tensor, y: Tensor) -> int:
    return x.numel()


def _per_output(module: nn.Module, x: Tensor, y: Tensor) -> int:
    return y.numel()


def _pool_kernel(module: nn.MaxPool2d | nn.AvgPool2d, x: Tensor, y: Tensor) -> int:
    kernel = module.kernel_size
    area = kernel * kernel if isinstance(kernel, int) else kernel[0] * kernel[-1]
    return y.numel() * area


def _adaptive_window(module: nn.Module, x: Tensor, y: Tensor) -> int:
    """torchstat takes every window one larger than it is, in both directions."""
    return y.numel() * (x.shape[-2] // y.shape[-2] + 1) * (x.shape[-1] // y.shape[-1] + 1)


def _one_channel(module: nn.Module, x: Tensor, y: Tensor) -> int:
    """torchstat counts an upsampling once, not per channel."""
    return y.shape[-2] * y.shape[-1]


MMCV: dict[type[nn.Module], Count] = {
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.Conv3d: _convolution,
    Pointwise: _convolution,  # the zoo's nn.Conv2d of kernel 1
    nn.ConvTranspose2d: _transposed,
    nn.Linear: _linear,
    nn.BatchNorm1d: _normalisation,
    nn.BatchNorm2d: _normalisation,
    nn.BatchNorm3d: _normalisation,
    nn.LayerNorm: _normalisation,
    nn.ReLU: _per_output,
    nn.ReLU6: _per_output,
    nn.PReLU: _per_output,
    nn.LeakyReLU: _per_output,
    nn.MaxPool2d: _per_input,
    nn.AvgPool2d: _per_input,
    nn.AdaptiveMaxPool2d: _per_input,
    nn.AdaptiveAvgPool2d: _per_input,
    nn.Upsample: _per_output,
}
TORCHSTAT: dict[type[nn.Module], Count] = MMCV | {
    nn.MaxPool2d: _pool_kernel,
    nn.AvgPool2d: _pool_kernel,
    nn.AdaptiveMaxPool2d: _adaptive_window,
    nn.AdaptiveAvgPool2d: _adaptive_window,
    nn.Upsample: _one_channel,
    KernelBank: _dynamic_convolution,
}


def layers(model: nn.Module, example: Tensor) -> list[Layer]:
    """Every leaf module that ran, in the order of ``named_modules``.

    A module that runs several times costs the sum of its runs by ``mmcv`` and its last run by
    ``torchstat``; its output shape is the last run's.

    Args:
        model: any module, in evaluation mode.
        example: its input ``[N, 3, H, W]``.
    """
    runs: dict[nn.Module, list[tuple[int, int, tuple[int, ...]]]] = {}

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if inputs and isinstance(inputs[0], Tensor) and isinstance(output, Tensor):
            mmcv, torchstat = MMCV.get(type(module)), TORCHSTAT.get(type(module))
            cost = (
                mmcv(module, inputs[0], output) if mmcv else 0,
                torchstat(module, inputs[0], output) if torchstat else 0,
                tuple(output.shape),
            )
            runs.setdefault(module, []).append(cost)

    leaves = [(name, module) for name, module in model.named_modules() if not any(module.children())]
    hooks = [module.register_forward_hook(note) for _, module in leaves]
    try:
        with torch.no_grad(), _called_by_position(model):
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    return [
        Layer(
            name=name,
            type=type(module).__name__,
            output=runs[module][-1][2],
            params=sum(p.numel() for p in module.parameters()),
            mmcv=sum(run[0] for run in runs[module]),
            torchstat=runs[module][-1][1],
        )
        for name, module in leaves
        if module in runs
    ]


@contextlib.contextmanager
def _called_by_position(model: nn.Module) -> Iterator[None]:
    """Calls such as ``self.conv(input=x)`` come to hooks as ``self.conv(x)``: counters look at the first input."""

    def rearrange(module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        if not kwargs:
            return None
        bound = inspect.signature(module.forward).bind(*args, **kwargs)
        return bound.args, bound.kwargs

    hooks = [
        module.register_forward_pre_hook(rearrange, prepend=True, with_kwargs=True)
        for module in model.modules() if not any(module.children())
    ]  # fmt: skip
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def count_mmcv(model: nn.Module, example: Tensor) -> tuple[int, dict[str, int]]:
    return sum(layer.mmcv for layer in layers(model, example)), {}


def count_torchstat(model: nn.Module, example: Tensor) -> tuple[int | None, dict[str, int]]:
    """torchstat's count; None for networks with linear layers on anything but vectors, which it refuses."""
    counted = layers(model, example)
    refused = sum(layer.type == "Linear" and len(layer.output) != 2 for layer in counted)
    if refused:
        return None, {"Linear on more than vectors": refused}
    return sum(layer.torchstat for layer in counted), {}


def count_fvcore(model: nn.Module, example: Tensor) -> tuple[int, dict[str, int]]:
    """fvcore's count and the operators that it does not know."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(model, example).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        return int(analysis.total()), {name: int(times) for name, times in sorted(analysis.unsupported_ops().items())}


def count_thop(model: nn.Module, example: Tensor) -> tuple[int, dict[str, int]]:
    """thop's count and the leaf modules that it does not know."""
    import thop

    known = _thop_counts()
    unknown = Counter(
        type(module).__name__ for module in model.modules() if not any(module.children()) and type(module) not in known
    )
    own = copy.deepcopy(model)  # thop leaves buffers behind
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()), _called_by_position(own):
        total, _ = thop.profile(own, inputs=(example,), custom_ops=known, verbose=False)
    return int(total), dict(sorted(unknown.items()))


def _thop_counts() -> dict[type[nn.Module], Any]:
    """What thop counts by the exact type of a module."""
    import thop  # noqa: F401 - brings the module below

    library = sys.modules["thop.profile"].register_hooks
    return library | {Pointwise: library[nn.Conv2d]}  # the zoo's convolution of kernel 1 is one like any other


def thop_types() -> set[type[nn.Module]]:
    """The types of modules that thop knows."""
    return set(_thop_counts())


def count_torch(model: nn.Module, example: Tensor) -> tuple[int, dict[str, int]]:
    """torch's counter, halved (it counts 2 a multiply-add), and the operators that it has no formula for."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    seen: Counter[str] = Counter()

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func.overloadpacket not in counter.flop_registry:
                seen[func.overloadpacket.__name__] += 1
            return func(*args, **(kwargs or {}))

    with torch.no_grad(), counter, Watch():  # type: ignore[no-untyped-call]
        model(example)
    return counter.get_total_flops() // 2, dict(sorted(seen.items()))


COUNTERS: dict[str, Callable[[nn.Module, Tensor], tuple[int | None, dict[str, int]]]] = {
    "mmcv": count_mmcv,
    "torchstat": count_torchstat,
    "fvcore": count_fvcore,
    "thop": count_thop,
    "torch": count_torch,
}
