"""The tables of TFLite files: tensors, operators, and what each is called.

Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod

import ml_dtypes
import numpy as np

from archspec.diagnostics import count
from archspec.formats.flatbuffers import Table, root
from archspec.formats.mapping import DamagedError
from archspec.importing.operations import Shape
from archspec.weights.tensors import Tensor, UnreadableError

IDENTIFIER = b"TFL3"
MAX_AXES = 16
MAX_SIZE = 2**40

TYPES = {
    0: np.dtype("<f4"),
    1: np.dtype("<f2"),
    2: np.dtype("<i4"),
    3: np.dtype("u1"),
    4: np.dtype("<i8"),
    6: np.dtype("?"),
    7: np.dtype("<i2"),
    9: np.dtype("i1"),
    10: np.dtype("<f8"),
    12: np.dtype("<u8"),
    15: np.dtype("<u4"),
    16: np.dtype("<u2"),
    18: np.dtype(ml_dtypes.bfloat16),
}
"""NumPy's types by TFLite's numbers for them."""
OTHERS = {5: "string", 8: "complex64", 11: "complex128", 13: "resource", 14: "variant", 17: "int4", 19: "int2"}

_IN_ORDER = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION
LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH
CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER
BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM
ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE
EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR
ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE
RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND
COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER
CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D
"""
WORDS = tuple(_IN_ORDER.split())
"""TFLite's words for operators, by their numbers."""
LATER = {150: "GELU", 152: "RELU_0_TO_1", 158: "SIGN", 205: "REDUCE_WINDOW", 206: "STABLEHLO_COMPOSITE"}
"""Those of higher numbers that files for vision have."""


@dataclass(frozen=True)
class Held:
    """A tensor of the graph: its shape, the type of its numbers, and the numbers if it is a constant."""

    name: str
    shape: Shape
    kind: str
    tensor: Tensor | None
    quantised: bool


@dataclass(frozen=True)
class Node:
    """One operator. Tensors are numbers in the graph's list, −1 where an input is left out."""

    said: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None
    number: int

    @property
    def place(self) -> str:
        return f"operator {self.number}"


@dataclass(frozen=True)
class Model:
    """The main graph of a file."""

    name: str
    description: str
    tensors: tuple[Held, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    nodes: tuple[Node, ...]
    graphs: int


def model_of(content: memoryview) -> Model:
    """The graph of a file. Raises `DamagedError`."""
    whole = root(content, IDENTIFIER)
    words = [_word(code) for code in whole.tables(1)]
    buffers = [_buffer(buffer, content) for buffer in whole.tables(4)]
    graphs = list(whole.tables(2))
    if not graphs:
        raise DamagedError("has no graph")
    graph = graphs[0]
    tensors = tuple(_held(tensor, buffers, number) for number, tensor in enumerate(graph.tables(0)))
    nodes = []
    for number, operator in enumerate(graph.tables(3)):
        code = operator.number(0, "u4")
        if code >= len(words):
            raise DamagedError(f"is damaged: operator {number} is of no kind that the file has")
        taken, given = (_checked(operator.numbers(slot), len(tensors)) for slot in (1, 2))
        nodes.append(Node(words[code], taken, given, operator.table(4), number))
    inputs, outputs = (_checked(graph.numbers(slot), len(tensors)) for slot in (1, 2))
    _check_order(tensors, inputs, outputs, nodes)
    return Model(graph.text(4), whole.text(3), tensors, inputs, outputs, tuple(nodes), len(graphs))


def _word(code: Table) -> str:
    """What an operator is called. Codes up to 126 may stand in a byte, as files had it before there were more."""
    number = max(code.number(3, "i4"), code.number(0, "i1"))
    if number == WORDS.index("CUSTOM"):
        return f"CUSTOM {code.text(1)[:60]}"
    if 0 <= number < len(WORDS):
        return WORDS[number]
    return LATER.get(number, f"operator of number {number}")


def _buffer(buffer: Table, content: memoryview) -> Callable[[], memoryview]:
    """How a buffer is had: within the table, or, in files above 2 GiB, behind all of them."""
    offset, size = buffer.number(1, "u8"), buffer.number(2, "u8")
    if offset > 1:
        if offset + size > len(content):
            raise DamagedError("is damaged: a part of it lies outside of it, or it is cut short")
        return lambda: content[offset : offset + size]
    return lambda: buffer.content(0)


def _checked(numbers: np.ndarray, count: int) -> tuple[int, ...]:
    found = tuple(int(number) for number in numbers)
    if any(not -1 <= number < count for number in found):
        raise DamagedError("is damaged: it names a tensor that it does not have")
    return found


def _held(tensor: Table, buffers: list[Callable[[], memoryview]], number: int) -> Held:
    shape = tuple(int(size) for size in tensor.numbers(0))
    signature = tuple(int(size) for size in tensor.numbers(7))
    name = tensor.text(3) or f"tensor {number}"
    if len(shape) > MAX_AXES or any(not 0 <= size <= MAX_SIZE for size in shape):
        raise DamagedError(f"is damaged: {name[:120]!r} has the shape {list(shape[:MAX_AXES])}")
    if len(signature) == len(shape) and any(size < 0 for size in signature[1:]):
        # Axes that are open stand as 1 in the shape.
        shape = tuple(
            -1 if own < 0 and axis else size for axis, (size, own) in enumerate(zip(shape, signature, strict=True))
        )
    code = tensor.number(1, "i1")
    kind = TYPES[code].name if code in TYPES else OTHERS.get(code, f"type {code}")
    index = tensor.number(2, "u4")
    if index >= len(buffers):
        raise DamagedError(f"is damaged: {name[:120]!r} lies in a buffer that the file does not have")
    content = buffers[index]() if index else memoryview(b"")
    quantisation = tensor.table(4)
    quantised = quantisation is not None and len(quantisation.numbers(2, "<f4")) > 0
    constant = None
    if len(content) or (index and prod(shape) == 0):
        if code not in TYPES or 6 in tensor:
            what = "has its zeros left out" if 6 in tensor else f"is of type {kind}"
            return Held(name, shape, kind, Tensor(shape, kind, partial(_unread, what)), quantised)
        dtype = TYPES[code]
        if len(content) != prod(shape) * dtype.itemsize:
            raise DamagedError(
                f"is damaged: {name[:120]!r} of shape {list(shape)} and type {kind} has {count(len(content), 'byte')}"
            )
        constant = Tensor(shape, kind, partial(_loaded, content, dtype, shape))
    return Held(name, shape, kind, constant, quantised)


def _loaded(content: memoryview, dtype: np.dtype, shape: Shape) -> np.ndarray:
    return np.frombuffer(content, dtype).reshape(shape)


def _unread(what: str) -> np.ndarray:
    raise UnreadableError(f"{what}, which is not read")


def _check_order(
    tensors: tuple[Held, ...], inputs: tuple[int, ...], outputs: tuple[int, ...], nodes: list[Node]
) -> None:
    """Raises `DamagedError` unless each value is made once, before it is taken."""
    made = {-1, *inputs, *(number for number, held in enumerate(tensors) if held.tensor is not None)}
    for node in nodes:
        for number in node.inputs:
            if number not in made:
                raise DamagedError(
                    f"is damaged: {node.place} takes {tensors[number].name[:120]!r}, which nothing makes before it"
                )
        for number in node.outputs:
            if number in made or number < 0:
                raise DamagedError(f"is damaged: {node.place} makes a value that is there already")
            made.add(number)
    for number in outputs:
        if number not in made or number < 0:
            raise DamagedError("is damaged: nothing makes one of its outputs")
