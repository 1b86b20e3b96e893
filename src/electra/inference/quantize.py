"""An ONNX file with its weights in 8 bits: products by onnxruntime's quantizer, the word table with a scale for each token.

A product's weights get a scale for each output; its inputs are put into 8 bits while the model answers, over the range they
then have, so no examples are needed to calibrate.

Unusual here: the word table is written by us, since the quantizer has one scale for all of it, and tokens differ in size.
Products with few outputs, such as a classifier's last, stay in float32: they cost nothing, and every answer goes through them.
Of MiniLM (6 layers, 384 wide) a scale for each output halves the mean difference of hidden states from float32, 0.030 for 0.065,
at the same speed; the word table in 8 bits adds nothing to it, and is a third of the model.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from electra.errors import WeightsError, install_hint
from electra.inference.session import PRECISION
from electra.weights.files import Array

FEWEST = 16  # outputs of a product that is put into 8 bits
LARGEST = 127  # of a weight in 8 bits; -128 is not used, so that zero is in the middle


def quantize(path: Path, target: Path, *, rows: int, in_one_file: int) -> None:
    """Write the model of a float32 ONNX file with 8-bit weights, and "int8" as its precision.

    rows          of the table that is looked up by tokens: the vocabulary's size
    in_one_file   bytes of weights up to which a file holds them; beyond, they go to one beside it
    Raises MissingDependencyError without onnx and onnxruntime, WeightsError where no product was found.
    """
    onnx, tools = _packages()
    model = onnx.load(path)
    _turn_constants(onnx, model.graph)
    _quantize_tables(onnx, model.graph, rows)
    products, left = _products(model.graph)
    if not products:
        raise WeightsError(f"{path} has no product with constant weights, so there is nothing to put into 8 bits")
    tools.quant_utils.add_pre_process_metadata(model)  # or it asks for what was done above
    onnx.helper.set_model_props(model, {entry.key: entry.value for entry in model.metadata_props} | {PRECISION: "int8"})
    prepared = path.with_name("prepared.onnx")
    size = sum(_bytes(tensor) for tensor in model.graph.initializer)
    onnx.save_model(
        model, prepared, save_as_external_data=size > in_one_file, location=f"{prepared.name}.data", size_threshold=1024
    )
    del model
    with _quiet():
        tools.quantize_dynamic(
            prepared,
            target,
            op_types_to_quantize=["MatMul"],  # a Gemm becomes one and an addition
            per_channel=True,
            weight_type=tools.QuantType.QInt8,
            nodes_to_exclude=left,
            use_external_data_format=size > 2 * in_one_file,  # of what is left a third, or less
        )
    for file in path.parent.glob(f"{prepared.name}*"):
        file.unlink()


def _turn_constants(onnx: Any, graph: Any) -> None:
    """Transposed constants as constants: of a tied output table the quantizer would not know that it is constant."""
    tables = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Transpose" and node.input[0] in tables]:
        order = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
        turned = np.ascontiguousarray(onnx.numpy_helper.to_array(tables[node.input[0]]).transpose(order))
        graph.initializer.append(onnx.numpy_helper.from_array(turned, node.output[0]))
        graph.node.remove(node)
    _drop_unused(graph)


def _quantize_tables(onnx: Any, graph: Any, rows: int) -> None:
    """The rows of the word table in 8 bits with a scale each, multiplied where they are looked up."""
    tables = {t.name: t for t in graph.initializer if len(t.dims) == 2 and t.dims[0] == rows and _is_float(onnx, t)}
    nodes = list(graph.node)
    for place, node in reversed(list(enumerate(nodes))):
        if node.op_type != "Gather" or node.input[0] not in tables or any(a.i for a in node.attribute):
            continue
        name, (ids, found) = node.input[0], (node.input[1], node.output[0])
        table, scales = in_8_bits(onnx.numpy_helper.to_array(tables[name]))
        graph.initializer.append(onnx.numpy_helper.from_array(table, f"{name}_int8"))
        graph.initializer.append(onnx.numpy_helper.from_array(scales, f"{name}_scales"))
        make = onnx.helper.make_node
        nodes[place : place + 1] = [
            make("Gather", [f"{name}_int8", ids], [f"{found}_int8"], name=f"{found}_look_up"),
            make("Gather", [f"{name}_scales", ids], [f"{found}_scale"], name=f"{found}_look_up_scale"),
            make("Cast", [f"{found}_int8"], [f"{found}_cast"], name=f"{found}_to_float", to=onnx.TensorProto.FLOAT),
            make("Mul", [f"{found}_cast", f"{found}_scale"], [found], name=f"{found}_scaled"),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused(graph)


def in_8_bits(table: Array) -> tuple[Array, Array]:
    """A table (V, E) as int8, and what each row is to be multiplied by, (V, 1) float32."""
    scales = np.abs(table).max(1, keepdims=True) / LARGEST
    scales[scales == 0] = 1
    return np.rint(table / scales).astype(np.int8), scales.astype(np.float32)


def _products(graph: Any) -> tuple[list[str], list[str]]:
    """The names of the products with constant weights, and of those among them with few outputs."""
    outputs: dict[str, int] = {}
    sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in ("MatMul", "Gemm") and node.input[1] in sizes:
            is_turned = any(a.name == "transB" and a.i for a in node.attribute)
            outputs[node.name] = sizes[node.input[1]][0 if is_turned else -1]
    left = [name for name, count in outputs.items() if count < FEWEST]
    # The quantizer gives a Gemm's product a name of its own.
    return list(outputs), [other for name in left for other in (name, f"{name}_MatMul")]


def _drop_unused(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for place, tensor in reversed(list(enumerate(graph.initializer))):  # in place: no tensor beyond 2 GB can be copied
        if tensor.name not in used:
            del graph.initializer[place]


def _is_float(onnx: Any, tensor: Any) -> bool:
    return bool(tensor.data_type == onnx.TensorProto.FLOAT)


def _bytes(tensor: Any) -> int:
    return 4 * int(np.prod(tensor.dims, dtype=np.int64))


def _packages() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime.quantization
    except ImportError as error:
        raise install_hint(error.name or "onnx", "onnx", "an ONNX file in int8") from None
    return onnx, onnxruntime.quantization


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantizer's remarks, which it makes through the root logger."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
