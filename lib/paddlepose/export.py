"""A Paddle network as one ONNX file that says how to use it, checked against the network before it is left anywhere."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import paddle
from numpy.typing import NDArray
from paddle import nn
from paddle.static import InputSpec

from paddlepose.core.files import folder_beside, remove_leftovers_of, silence, written_beside
from paddlepose.core.predict import Network
from paddlepose.core.rescore import Rescorer
from paddlepose.core.types import Card, Kind
from paddlepose.engine.evaluate import as_network
from paddlepose.runtime import CARD_KEY, RESCORE_KEY, OrtNetwork, reason

INPUT = "image"
OUTPUTS = {1: ("heatmaps",), 2: ("heatmaps", "offsets"), 3: ("heatmaps", "fine_heatmaps", "offsets")}  # by their number
OPSET = 17  # the latest that paddle2onnx and onnxruntime agree on for all layers used here; 19 with DeformConv

_OTHER_SIZE = (192, 128)  # width, height at which a network that takes pictures of any size is checked too


@paddle.jit.not_to_static
def _answer(network: nn.Layer, image: paddle.Tensor, kind: Kind) -> list[paddle.Tensor]:
    """What is used of a network's outputs, found by running it: rewriting its layers' sources would take minutes."""
    outputs = network(image)
    if kind != "bottom_up":
        return outputs[-1:]
    heatmaps, *others = outputs
    heads = heatmaps.shape[1] // (others[-1].shape[1] // 2 + 1)
    return [reduce(paddle.maximum, heatmaps.split(heads, 1)), *others]


class _Answer(nn.Layer):
    """Those of a network's outputs that are used once it is trained.

    A top-down one's last; all of a bottom-up one's, where several heads give their maximum, which is how codecs join
    them.
    """

    def __init__(self, network: nn.Layer, kind: Kind) -> None:
        super().__init__()
        self.network = network
        self.kind = kind

    def forward(self, image: paddle.Tensor) -> list[paddle.Tensor]:
        """Images (B, 3, H, W) to one (B, K, h, w), or to all of a bottom-up network's maps."""
        return _answer(self.network, image, self.kind)


def export(
    model: nn.Layer,
    card: Card,
    path: Path,
    *,
    real: Sequence[NDArray[np.float32]] = (),
    tolerance: float = 1e-4,
    portable: bool = False,
    rescorer: Rescorer | None = None,
) -> float:
    """Write a network to an ONNX file with its card; the largest difference of its outputs, each relative to its scale.

    The file is run by onnxruntime on random input in batches of 1 and 3, and on `real` pictures, batches (B, 3, H, W)
    of normalized ones; it appears only if the difference is at most `tolerance`. A bottom-up network's file takes
    pictures of any size; it has `rescorer` in it, and with `portable` nothing that runtimes without deformable
    convolutions lack, at some cost in time.

    Raises ValueError: the network is not converted, or its output differs by more; OSError: the file is not written.
    """
    answer = _Answer(model, card.kind)
    network = as_network(answer)
    sizes = [card.input_size] * 2 if card.kind != "bottom_up" else [card.input_size, _OTHER_SIZE]
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((n, 3, *size[::-1]), np.float32) for n, size in zip((1, 3), sizes, strict=True)]
    texts = {CARD_KEY: card.to_json()} | ({RESCORE_KEY: rescorer.to_text()} if rescorer else {})
    place = Path(tempfile.gettempdir(), "paddlepose.export")
    remove_leftovers_of(place)
    with written_beside(path) as unfinished, folder_beside(place) as parts:
        with _by_grid(model, portable):
            graph = _fold(_convert(answer, card, parts), parts)
        _fold_deconvolutions(graph.graph)
        _rename(graph.graph)
        onnx.helper.set_model_props(graph, texts)
        onnx.checker.check_model(graph)
        onnx.save(graph, str(unfinished))
        difference = max(_difference(network, OrtNetwork(unfinished), images) for images in (*inputs, *real))
        if not difference <= tolerance:
            found = f"onnxruntime's output differs from the network's by {difference:.1e} of its scale"
            raise ValueError(f"{path}: not written: {found}, more than {tolerance:.0e}")
    return difference


def _difference(network: Network, exported: Network, images: NDArray[np.float32]) -> float:
    pairs = zip(network(images), exported(images), strict=True)
    return max(float(np.abs(wanted - found).max() / max(np.abs(wanted).max(), 1e-12)) for wanted, found in pairs)


@contextmanager
def _by_grid(model: nn.Layer, portable: bool) -> Iterator[None]:
    """Block in which deformable convolutions use grid sampling, where that is asked for."""
    layers = [layer for layer in model.sublayers() if hasattr(layer, "by_grid")]
    for layer in layers:
        layer.by_grid = portable
    try:
        yield
    finally:
        for layer in layers:
            layer.by_grid = False


def _convert(layer: nn.Layer, card: Card, folder: Path) -> bytes:
    """The network's graph as paddle2onnx gives it, by way of files in a folder.

    Paddle writes Python's floats as 64-bit attributes, which paddle2onnx misreads as zeros; the saved program is
    corrected in between. Its own entry point in Paddle is not used: it may install packages, and ends the process
    where a conversion fails.
    """
    import paddle2onnx.paddle2onnx_cpp2py_export as converter

    layer.eval()
    shape = [None, 3, *(card.input_size[::-1] if card.kind != "bottom_up" else (None, None))]
    program = folder / "network.json"
    with silence():
        paddle.jit.save(layer, str(program.with_suffix("")), [InputSpec(shape, name=INPUT)])
        program.write_text(program.read_text().replace('"0.a_f64"', '"0.a_f32"'))
        files = str(program), str(program.with_suffix(".pdiparams"))
        try:
            return converter.export(*files, OPSET, True, False, True, True, True, {}, "onnxruntime", "", "", False)
        except Exception as error:  # the converter's errors have no other base
            raise ValueError(f"paddle2onnx cannot convert the network: {error}") from error


def _fold(model: bytes, folder: Path) -> onnx.ModelProto:
    """The graph after onnxruntime's basic optimisations, read from a folder: batch norms in convolutions, and so on."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "folded.onnx")
    try:
        ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no other base
        raise ValueError(f"the network's graph is none that {reason(error)}") from error
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


def _rename(graph: onnx.GraphProto) -> None:
    """Give the outputs and the free dimensions names that say what they are."""
    names = dict(zip((output.name for output in graph.output), OUTPUTS[len(graph.output)], strict=True))
    for node in graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]
        node.input[:] = [names.get(name, name) for name in node.input]
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
        for dimension, title in zip(value.type.tensor_type.shape.dim, ("batch", "", "height", "width"), strict=True):
            if not dimension.HasField("dim_value"):
                dimension.dim_param = title if title == "batch" else f"{value.name}_{title}"
    del graph.value_info[:]
