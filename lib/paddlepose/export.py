"""A Paddle network as one ONNX file that says how to use it, checked against the network before it is left anywhere."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import paddle
from numpy.typing import NDArray
from paddle import nn
from paddle.static import InputSpec

from paddlepose.core.files import silence, written_beside
from paddlepose.core.types import Card
from paddlepose.engine.evaluate import as_network
from paddlepose.runtime import CARD_KEY, OrtNetwork

INPUT, OUTPUT = "image", "heatmaps"
OPSET = 17  # the latest that paddle2onnx and onnxruntime agree on for all layers used here


@paddle.jit.not_to_static
def _last(network: nn.Layer, image: paddle.Tensor) -> paddle.Tensor:
    """A network's last output, found by running it: its layers' sources need not be rewritten, which takes minutes."""
    return network(image)[-1]


class _Answer(nn.Layer):
    """A network's last output alone: the only one that is used once it is trained."""

    def __init__(self, network: nn.Layer) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: paddle.Tensor) -> paddle.Tensor:
        """Images (B, 3, H, W) to (B, K, h, w)."""
        return _last(self.network, image)


def export(
    model: nn.Layer, card: Card, path: Path, *, pictures: NDArray[np.float32] | None = None, tolerance: float = 1e-4
) -> float:
    """Write a network to an ONNX file with its card; the largest difference of its output, relative to its scale.

    The file is run by onnxruntime on random input in batches of 1 and 3, and on `pictures` (B, 3, H, W), normalized,
    where there are any; it appears only if the difference is at most `tolerance`.

    Raises ValueError: the network is not converted, or its output differs by more; OSError: the file is not written.
    """
    network = as_network(model)
    width, height = card.input_size
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((count, 3, height, width), np.float32) for count in (1, 3)]
    inputs += [] if pictures is None else [pictures]
    with written_beside(path) as unfinished:
        graph = _fold(_convert(_Answer(model), card.input_size))
        _fold_deconvolutions(graph.graph)
        _rename(graph)
        onnx.helper.set_model_props(graph, {CARD_KEY: card.to_json()})
        onnx.checker.check_model(graph)
        onnx.save(graph, str(unfinished))
        difference = max(_difference(network, OrtNetwork(unfinished), images) for images in inputs)
        if not difference <= tolerance:
            found = f"onnxruntime's output differs from the network's by {difference:.1e} of its scale"
            raise ValueError(f"{path}: not written: {found}, more than {tolerance:.0e}")
    return difference


def _difference(network: object, exported: OrtNetwork, images: NDArray[np.float32]) -> float:
    wanted, found = network(images)[-1], exported(images)[-1]
    return float(np.abs(wanted - found).max() / max(np.abs(wanted).max(), 1e-12))


def _convert(layer: nn.Layer, input_size: tuple[int, int]) -> bytes:
    """The network's graph as paddle2onnx gives it.

    Paddle writes Python's floats as 64-bit attributes, which paddle2onnx misreads as zeros; the saved program is
    corrected in between. Its own entry point in Paddle is not used: it may install packages, and ends the process
    where a conversion fails.
    """
    import paddle2onnx.paddle2onnx_cpp2py_export as converter

    layer.eval()
    width, height = input_size
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "network.json")
        with silence():
            paddle.jit.save(layer, str(program.with_suffix("")), [InputSpec([None, 3, height, width], name=INPUT)])
            program.write_text(program.read_text().replace('"0.a_f64"', '"0.a_f32"'))
            files = str(program), str(program.with_suffix(".pdiparams"))
            try:
                return converter.export(*files, OPSET, True, False, True, True, True, {}, "onnxruntime", "", "", False)
            except Exception as error:  # the converter's errors have no other base
                raise ValueError(f"paddle2onnx cannot convert the network: {error}") from error


def _fold(model: bytes) -> onnx.ModelProto:
    """The graph after onnxruntime's basic optimisations: batch norms in convolutions, constants computed."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder, "folded.onnx"))
        ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath)
    used = {node.domain for node in graph.graph.node}
    for unused in [domain for domain in graph.opset_import if domain.domain not in used]:
        graph.opset_import.remove(unused)
    return graph


def _fold_deconvolutions(graph: onnx.GraphProto) -> None:
    """Put batch norms into the transposed convolutions before them, which onnxruntime does itself since 1.24 or so."""
    constants = {constant.name: constant for constant in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        deconvolution = makers.get(norm.input[0])
        if deconvolution is None or deconvolution.op_type != "ConvTranspose" or len(deconvolution.input) > 2:
            continue
        scale, shift, mean, variance = (onnx.numpy_helper.to_array(constants[name]) for name in norm.input[1:5])
        epsilon = next(attribute.f for attribute in norm.attribute if attribute.name == "epsilon")
        factor = scale / np.sqrt(variance + np.float32(epsilon))
        kernel = constants[deconvolution.input[1]]
        weight = onnx.numpy_helper.to_array(kernel)  # (in, out, k, k)
        if weight.shape[1] != len(factor):  # in groups
            continue
        kernel.CopyFrom(onnx.numpy_helper.from_array(weight * factor[:, None, None], kernel.name))
        bias = onnx.numpy_helper.from_array(shift - mean * factor, f"{norm.output[0]}.bias")
        graph.initializer.append(bias)
        deconvolution.input.append(bias.name)
        deconvolution.output[0] = norm.output[0]
        graph.node.remove(norm)


def _rename(model: onnx.ModelProto) -> None:
    """Give the output and the free dimensions names that say what they are."""
    graph = model.graph
    (output,) = graph.output
    for node in graph.node:
        node.output[:] = [OUTPUT if name == output.name else name for name in node.output]
        node.input[:] = [OUTPUT if name == output.name else name for name in node.input]
    output.name = OUTPUT
    for value in (*graph.input, output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]
