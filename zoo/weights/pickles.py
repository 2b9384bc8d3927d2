"""Reading a pickle without ever calling what it names.

Python's own reader imports every class or function that a pickle names and calls it: that is how
a pickle runs code. This one interprets the instructions itself (``pickletools.genops`` only splits
the stream into them): tensors, numbers, text and plain containers are made here, and a name from
the file is never imported, looked up or called. Metadata objects of the libraries that write
checkpoints become an ``Inert`` that holds nothing; any other name is refused.

Opcodes: the documentation in the standard library's ``pickletools``.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

import torch
from torch import Tensor

# How torch names the element types of stored tensors.
DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# What may stand in a checkpoint beside tensors, all made here or left inert: plain containers, ...
_MAPPINGS = {"builtins.dict", "collections.Counter", "collections.OrderedDict", "collections.defaultdict"}
_LISTS = {"builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset", "collections.deque", "torch.Size"}
# ... NumPy's arrays and numbers, dates, paths, versions and options, ...
_INERT = {
    "_codecs.encode",
    "argparse.Namespace",
    "builtins.bool",
    "builtins.bytearray",
    "builtins.bytes",
    "builtins.complex",
    "builtins.float",
    "builtins.int",
    "builtins.slice",
    "builtins.str",
    "datetime.date",
    "datetime.datetime",
    "datetime.timedelta",
    "datetime.timezone",
    "numpy.dtype",
    "numpy.ndarray",
    "torch.device",
    "torch.torch_version.TorchVersion",
    "types.SimpleNamespace",
    "typing.Any",
    *(  # Python 3.13 has them elsewhere
        f"{module}.{name}"
        for module in ("pathlib", "pathlib._local")
        for name in ("PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath")
    ),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *(f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core")),
    *(str(dtype) for dtype in DTYPES.values()),
}
# ... the classes of the libraries that wrote the published checkpoints (HistoryBuffer, ConfigDict, ...), those that
# training scripts keep their options in, callbacks, and what PyTorch trains with (optimisers, schedules, losses).
_FOREIGN = (
    "addict", "easydict", "lightning", "lightning_fabric", "ml_collections", "mmcv", "mmdet", "mmengine", "mmpose",
    "munch", "numpy.dtypes", "omegaconf", "pytorch_lightning", "torch.amp.grad_scaler", "torch.cuda.amp.grad_scaler",
    "torch.nn.modules.loss", "torch.optim", "yacs",
)  # fmt: skip
_GETATTR = "builtins.getattr"
_REBUILD = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"}
_PARAMETERS = {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"}

# (element type, key, number of elements) to a tensor [N] that holds them.
Storage = Callable[[torch.dtype, str, int], Tensor]


class RefusedError(Exception):
    """The pickle asks for something that is neither data nor known metadata."""


@dataclass(frozen=True)
class Global:
    """A class or function that the pickle names; never imported."""

    name: str


@dataclass(frozen=True, eq=False)
class Inert:
    """What stands for a metadata object: it knows the object's type and holds nothing of it."""

    name: str


class _Mark:
    """Where the arguments of a later opcode begin."""


def load(file: IO[bytes], storage: Storage) -> object:
    """Read one pickle from ``file``, which is left behind its end.

    Args:
        file: at the beginning of a pickle of protocol 0 to 5.
        storage: gives the elements of the tensors that the pickle refers to.

    Returns:
        Tensors, numbers, text, lists, tuples, dictionaries and ``Inert``. Sets and queues come as lists.

    Raises:
        RefusedError: a name that is neither data nor known metadata.
        ValueError, IndexError, KeyError, TypeError, RuntimeError: the pickle is malformed or ends too soon.
    """
    machine = _Machine(storage)
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "STOP":
            break
        machine.step(opcode.name, argument)
    return machine.pop()


class _Machine:
    """The stack and the memo of a pickle, and what each opcode does to them."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.stack: list[object] = []
        self.memo: dict[int, object] = {}

    def pop(self) -> object:
        value = self.stack.pop()
        if isinstance(value, _Mark):
            raise ValueError("a value is missing")
        return value

    def pop_to_mark(self) -> list[object]:
        """Everything above the last mark; the mark goes too."""
        for index in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[index], _Mark):
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise ValueError("a mark is missing")

    def step(self, op: str, argument: object) -> None:
        push = self.stack.append
        match op:
            case "PROTO" | "FRAME":
                pass
            case "INT" | "BININT" | "BININT1" | "BININT2" | "LONG" | "LONG1" | "LONG4" | "FLOAT" | "BINFLOAT":
                push(argument)
            case "STRING" | "BINSTRING" | "SHORT_BINSTRING":
                push(argument)
            case "UNICODE" | "SHORT_BINUNICODE" | "BINUNICODE" | "BINUNICODE8":
                push(argument)
            case "BINBYTES" | "SHORT_BINBYTES" | "BINBYTES8" | "BYTEARRAY8":
                push(argument)
            case "NONE":
                push(None)
            case "NEWTRUE" | "NEWFALSE":
                push(op == "NEWTRUE")
            case "MARK":
                push(_Mark())
            case "POP":
                self.stack.pop()
            case "POP_MARK":
                self.pop_to_mark()
            case "DUP":
                push(self.stack[-1])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self.memo[_integer(argument)] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                push(self.memo[_integer(argument)])
            case "EMPTY_TUPLE":
                push(())
            case "EMPTY_LIST" | "EMPTY_SET":
                push([])
            case "EMPTY_DICT":
                push({})
            case "TUPLE":
                push(tuple(self.pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = [self.pop() for _ in range(int(op[-1]))]
                push(tuple(reversed(items)))
            case "LIST" | "FROZENSET":
                push(self.pop_to_mark())
            case "DICT":
                push(_filled({}, self.pop_to_mark()))
            case "APPEND":
                _extend(self.stack, [self.pop()])
            case "APPENDS" | "ADDITEMS":
                _extend(self.stack, self.pop_to_mark())
            case "SETITEM":
                value, key = self.pop(), self.pop()
                _filled(self.stack[-1], [key, value])
            case "SETITEMS":
                items = self.pop_to_mark()
                _filled(self.stack[-1], items)
            case "GLOBAL":
                push(_global(*str(argument).split(" ", 1)))
            case "STACK_GLOBAL":
                name, module = self.pop(), self.pop()
                push(_global(module, name))
            case "INST":
                arguments = self.pop_to_mark()
                push(_call(_global(*str(argument).split(" ", 1)), tuple(arguments)))
            case "OBJ":
                function, *arguments = self.pop_to_mark()
                push(_call(function, tuple(arguments)))
            case "REDUCE" | "NEWOBJ":
                arguments_, function = self.pop(), self.pop()
                push(_call(function, arguments_))
            case "NEWOBJ_EX":
                _, arguments_, function = self.pop(), self.pop(), self.pop()
                push(_call(function, arguments_))
            case "BUILD":
                # The state of an object: attributes of an Inert, or _metadata of a state dict. Nothing to keep.
                self.pop()
            case "BINPERSID":
                push(self.referred(self.pop()))
            case _:
                raise RefusedError(f"the pickle instruction {op}")

    def referred(self, reference: object) -> object:
        """What a persistent id stands for."""
        # PyTorch wrote the class of a module so before version 1.6, with its source beside it.
        if isinstance(reference, tuple) and len(reference) == 4 and reference[0] == "module":
            return reference[1]
        return self.stored(reference)

    def stored(self, reference: object) -> Tensor:
        """The tensor's elements that a persistent id refers to: ('storage', type, key, device, number[, view])."""
        if not isinstance(reference, tuple) or len(reference) not in (5, 6) or reference[0] != "storage":
            raise ValueError("a reference to stored data is malformed")
        kind, key, number = reference[1], reference[2], reference[4]
        if not isinstance(kind, Global) or not isinstance(key, str) or reference[5:] not in ((), (None,)):
            raise ValueError("a reference to stored data is malformed")
        dtype = DTYPES.get(kind.name.removeprefix("torch."))
        if dtype is None:
            raise ValueError(f"tensors of {kind.name} cannot be read")
        return self.storage(dtype, key, _integer(number))


def _global(module: object, name: object) -> Global:
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("the name of a class is malformed")
    # Python 2's name, which pickles of protocol 2 still carry.
    full = f"{'builtins' if module == '__builtin__' else module}.{name}"
    known = full in _INERT or full in _MAPPINGS or full in _LISTS or full in _REBUILD
    stored = module == "torch" and name in DTYPES
    if not (known or stored or _is_foreign(full) or full == _GETATTR or full in _PARAMETERS):
        raise RefusedError(full)
    return Global(full)


def _is_foreign(name: str) -> bool:
    return name.startswith(tuple(f"{package}." for package in _FOREIGN))


def _call(function: object, arguments: object) -> object:
    """What calling ``function`` stands for. Nothing is called: every outcome is made here."""
    if not isinstance(function, Global) or not isinstance(arguments, tuple):
        raise RefusedError(f"a call of {function.name if isinstance(function, Inert) else 'a value'}")
    name = function.name
    if name in _REBUILD:
        base, offset, size, stride = arguments[:4]
        return _tensor(base).as_strided(_integers(size), _integers(stride), _integer(offset))
    if name in _PARAMETERS:
        return _tensor(arguments[0])
    if name in _MAPPINGS:
        # The first argument holds the items, if any; defaultdict has its factory there.
        items = arguments[0] if arguments else ()
        pairs = items.items() if isinstance(items, dict) else items if isinstance(items, (list, tuple)) else ()
        return _filled({}, [part for pair in pairs for part in _pair(pair)])
    if name in _LISTS:
        items = arguments[0] if arguments else ()
        return list(items) if isinstance(items, (list, tuple)) else []
    if name == _GETATTR:
        # How protocol 2 names a method of a class, for example HistoryBuffer.mean. Never looked up.
        owner, attribute = arguments[:2]
        if isinstance(owner, Global) and _is_foreign(owner.name) and isinstance(attribute, str):
            return Inert(f"{owner.name}.{attribute}")
        raise RefusedError(_GETATTR)
    # An object of a known class is left inert; a function of a foreign library is no metadata.
    if name in _INERT or (_is_foreign(name) and name.rpartition(".")[2][:1].isupper()):
        return Inert(name)
    raise RefusedError(f"a call of {name}")


def _extend(stack: list[object], items: list[object]) -> None:
    target = stack[-1]
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Inert):
        raise ValueError("items are added to something that holds none")


def _filled(target: object, items: list[object]) -> object:
    """``target`` with keys and values, which follow each other in ``items``."""
    if isinstance(target, Inert):
        return target
    if not isinstance(target, dict) or len(items) % 2:
        raise ValueError("keys are added to something that has none")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Lightning keeps the state of callbacks under their classes, and an optimiser its own under its parameters.
        if isinstance(key, (Global, Inert, Tensor)):
            continue
        # Hashing a deeply nested tuple can exhaust the C stack; no checkpoint needs one as a key.
        if not isinstance(key, (str, bytes, int, float, type(None))):
            raise ValueError("a key is neither text nor a number")
        target[key] = value
    return target


def _pair(value: object) -> tuple[object, object]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError("a key without its value")
    return value[0], value[1]


def _tensor(value: object) -> Tensor:
    if not isinstance(value, Tensor):
        raise ValueError("a tensor without its data")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError("a number is missing")
    return value


def _integers(value: object) -> list[int]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("a tensor without its size")
    return [_integer(item) for item in value]
