"""Channels stay last between the convolutions of what onnx2tf makes.

ONNX has channels second, LiteRT has them last. onnx2tf changes the layout before and after every convolution, and takes
changes away again where it knows the operators between two of them, by rules for sequences that its authors met. Here
one rule does for every sequence: an operator whose inputs are there with their channels last, and that can be told so,
computes with channels last. Imports numpy alone, as it runs in onnx2tf's environment (``onnx2tf_program``).
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # permutations that put the channels second, and last
ELEMENTWISE = {
    "ABS", "ADD", "DIV", "ELU", "EXP", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL",
    "NEG", "POW", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "RSQRT", "SIGN", "SQRT", "SQUARE",
    "SQUARED_DIFFERENCE", "SUB", "TANH",
}  # fmt: skip
REDUCTIONS = {"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"}
SLICES = {"SLICE", "STRIDED_SLICE"}
PADS = {"PAD", "PADV2", "MIRROR_PAD"}

Told = tuple[list[str], dict[str, Any]]  # inputs and options of an operator
Rewritten = tuple[list[Any], dict[str, str]]  # operators, and by tensor the same with its channels last


def keep_channels_last(model_ir: Any) -> Any:
    """Take changes of layout away where what is between them can do without.

    Args:
        model_ir: onnx2tf's ``ModelIR``, its operators in the order in which they run; changed in place.

    Returns:
        The same object. It computes the same.
    """
    _Rewriting(model_ir).run()
    return model_ir


class _Rewriting:
    def __init__(self, model_ir: Any) -> None:
        self.ir, self.tensors = model_ir, model_ir.tensors
        self.last: dict[str, str] = {}  # by tensor [N, C, H, W]: the same as [N, H, W, C]
        self.rows: dict[str, str] = {}  # by tensor [N, C, 1, H, W]: the same as [N, H, W, C]
        self.stacks: dict[str, list[str]] = {}  # by tensor [N, C, parts, H, W]: its parts, each [N, H, W, C]

    def run(self) -> None:
        renamed: dict[str, str] = {}
        operators: list[Any] = []
        for operator in self.ir.operators:
            operator.inputs = [renamed.get(name, name) for name in operator.inputs]
            given, made = operator.inputs[:1], operator.outputs[0]
            if self._changes(operator, LAST) and given[0] in self.last and made not in self.ir.outputs:
                renamed[made] = self.last[given[0]]
                continue
            if self._changes(operator, FIRST):
                self.last[made] = given[0]
                operators.append(operator)
                continue
            moved, same = self._moved(operator) or ([operator], {})
            # For whoever needs them with their channels second; where nobody does, this is dropped.
            operators += [*moved, *(self._change(new, old) for old, new in same.items())]
            self.last |= same
        kept = {*self.ir.outputs, *self.ir.inputs}  # names that stay
        for name in self.ir.outputs:
            if self.last.get(name, name) not in kept:
                kept.add(self.last[name])
                self._put_out(operators, name)
        self.ir.operators = list(self._used(operators))

    def _put_out(self, operators: list[Any], output: str) -> None:
        """An output that onnx2tf left with its channels second, unlike others, has them last; its name stays."""
        names = {output: f"{output}_channels_second", self.last[output]: output}
        for operator in operators:
            operator.inputs = [names.get(name, name) for name in operator.inputs]
            operator.outputs = [names.get(name, name) for name in operator.outputs]
        for name, tensor in [(new, self.tensors[old]) for old, new in names.items()]:
            self.tensors[name] = dataclasses.replace(tensor, name=name)

    def _changes(self, operator: Any, order: tuple[int, ...]) -> bool:
        """Whether it does nothing but change the layout, as a reshape does too of one channel or of one pixel."""
        if operator.op_type == "TRANSPOSE":
            return self._numbers(operator.inputs[1]) == list(order)
        if operator.op_type != "RESHAPE":
            return False
        given, made = self._shape(operator.inputs[0]), self._shape(operator.outputs[0])
        if len(given) != 4 or made != [given[place] for place in order]:
            return False
        second = made if order == FIRST else given  # the one with its channels second
        return second[1] == 1 or second[2:] == [1, 1]

    def _change(self, given: str, made: str) -> Any:
        order = self._constant(f"{made}_order", np.array(FIRST, np.int32))
        return self._operator("TRANSPOSE", [given, order], [made])

    def _moved(self, operator: Any) -> Rewritten | None:
        """The operator with channels last, if it can be told so."""
        if operator.op_type == "RESHAPE":
            return self._reshape(operator)
        how: Callable[[Any], Told | None] | None = {
            "CONCATENATION": self._concatenation, "SPLIT": self._split,
            **dict.fromkeys(ELEMENTWISE, self._elementwise), **dict.fromkeys(REDUCTIONS, self._reduction),
            **dict.fromkeys(SLICES, self._slice), **dict.fromkeys(PADS, self._pad),
        }.get(operator.op_type)  # fmt: skip
        told = how(operator) if how else None
        if told is None:
            return None
        inputs, options = told
        same = {name: self._with_channels_last(name) for name in operator.outputs}
        return [dataclasses.replace(operator, inputs=inputs, outputs=list(same.values()), options=options)], same

    def _elementwise(self, operator: Any) -> Told | None:
        inputs = []
        for name in operator.inputs:
            shape, constant = self._shape(name), self.tensors[name].data is not None
            if name in self.last:
                inputs.append(self.last[name])
            elif constant and int(np.prod(shape)) == 1:
                inputs.append(name)
            elif constant and len(shape) == 4:
                value = np.asarray(self.tensors[name].data).reshape(shape).transpose(LAST)
                inputs.append(self._constant(f"{name}_channels_last", value))
            else:
                return None
        return (inputs, operator.options) if set(operator.inputs) & set(self.last) else None

    def _reduction(self, operator: Any) -> Told | None:
        entry, axes = operator.inputs
        numbers = self._numbers(axes)
        if entry not in self.last or numbers is None or not operator.options.get("keepDims"):
            return None
        own = np.array(sorted(LAST.index(axis % 4) for axis in numbers), np.int32)
        return [self.last[entry], self._constant(f"{operator.outputs[0]}_axes", own)], operator.options

    def _pad(self, operator: Any) -> Told | None:
        entry, pads, *value = operator.inputs
        numbers = self._numbers(pads)
        if entry not in self.last or numbers is None:
            return None
        own = np.asarray(numbers, np.int32).reshape(4, 2)[list(LAST)]
        return [self.last[entry], self._constant(f"{operator.outputs[0]}_pads", own), *value], operator.options

    def _slice(self, operator: Any) -> Told | None:
        """Its begin and size, or its begin, end and step; masks have a bit for each dimension."""
        entry, *ends = operator.inputs
        numbers = [self._numbers(name) for name in ends]
        if entry not in self.last or any(one is None or len(one) != len(LAST) for one in numbers):
            return None
        if any(operator.options.get(mask) for mask in ("ellipsisMask", "newAxisMask", "shrinkAxisMask")):
            return None
        own = [
            self._constant(f"{operator.outputs[0]}_slice_{place}", np.array(one, np.int32)[list(LAST)])
            for place, one in enumerate(numbers)
        ]
        masks = {
            mask: sum(bool(operator.options[mask] & 1 << axis) << place for place, axis in enumerate(LAST))
            for mask in ("beginMask", "endMask")
            if mask in operator.options
        }
        return [self.last[entry], *own], operator.options | masks

    def _split(self, operator: Any) -> Told | None:
        axis, entry = operator.inputs
        numbers = self._numbers(axis)
        if entry not in self.last or numbers is None:
            return None
        own = np.array([LAST.index(numbers[0] % 4)], np.int32)
        return [self._constant(f"{operator.outputs[0]}_axis", own), self.last[entry]], operator.options

    def _concatenation(self, operator: Any) -> Told | None:
        axis, inputs = operator.options["axis"], operator.inputs
        if axis == 2 and all(name in self.rows for name in inputs):
            self.stacks[operator.outputs[0]] = [self.rows[name] for name in inputs]
        if not all(name in self.last for name in inputs):
            return None
        return [self.last[name] for name in inputs], operator.options | {"axis": LAST.index(axis % 4)}

    def _reshape(self, operator: Any) -> Rewritten | None:
        """Reshapes of which channels in turn are made: several maps, stacked channel by channel, as one."""
        entry, made = operator.inputs[0], operator.outputs[0]
        before, after = self._shape(entry), self._shape(made)
        if entry in self.last and after == [*before[:2], 1, *before[2:]]:
            self.rows[made] = self.last[entry]
        if entry not in self.stacks or after != [before[0], before[1] * before[2], *before[3:]]:
            return None
        parts, (pictures, channels, count, height, width) = self.stacks[entry], before
        name = self._with_channels_last(made)
        sizes = [pictures * height * width, count, channels]
        whole, apart, turned = (f"{name}_{what}" for what in ("whole", "apart", "turned"))
        self._tensor(whole, made, [pictures, height, width, count * channels])
        self._tensor(apart, made, sizes)
        self._tensor(turned, made, [sizes[0], channels, count])
        order = self._constant(f"{name}_turn", np.array([0, 2, 1], np.int32))
        concatenation = {"axis": 3, "fusedActivationFunction": "NONE"}
        return [
            self._operator("CONCATENATION", parts, [whole], concatenation),
            self._to_shape(whole, apart),
            self._operator("TRANSPOSE", [apart, order], [turned]),
            self._to_shape(turned, name),
        ], {made: name}

    def _to_shape(self, given: str, made: str) -> Any:
        shape = self._shape(made)
        told = self._constant(f"{made}_shape", np.array(shape, np.int32))
        return self._operator("RESHAPE", [given, told], [made], {"newShape": shape})

    def _used(self, operators: Sequence[Any]) -> Iterable[Any]:
        """Those of which something is used."""
        wanted, found = set(self.ir.outputs), []
        for operator in reversed(operators):
            if wanted & set(operator.outputs):
                found.append(operator)
                wanted |= set(operator.inputs)
        return reversed(found)

    def _shape(self, name: str) -> list[int]:
        return [int(size) for size in self.tensors[name].shape]

    def _numbers(self, name: str) -> list[Any] | None:
        """What a constant holds."""
        data = self.tensors[name].data
        found: list[Any] | None = None if data is None else np.atleast_1d(np.asarray(data)).tolist()
        return found

    def _with_channels_last(self, name: str) -> str:
        return self._tensor(f"{name}_channels_last", name, [self._shape(name)[place] for place in LAST])

    def _tensor(self, name: str, like: str, shape: list[int]) -> str:
        self.tensors[name] = dataclasses.replace(
            self.tensors[like], name=name, shape=shape, shape_signature=list(shape), logical_layout="UNKNOWN",
            physical_layout="UNKNOWN",
        )  # fmt: skip
        return name

    def _constant(self, name: str, value: np.ndarray) -> str:
        shape, dtype = list(value.shape), str(value.dtype).upper()
        self.tensors[name] = type(next(iter(self.tensors.values())))(name, dtype, shape, shape, value)
        return name

    def _operator(self, op_type: str, inputs: list[str], outputs: list[str], options: Any = None) -> Any:
        return type(self.ir.operators[0])(op_type, inputs, outputs, options or {})
