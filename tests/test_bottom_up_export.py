"""Exported bottom-up networks: pictures of any size and number, in both forms, and scores that come along."""

import numpy as np
import onnx
import onnxruntime as ort
import paddle
import pytest

from paddlepose import runtime
from paddlepose.core.rescore import Rescorer, features
from paddlepose.core.types import Card, Poses, Skeleton
from paddlepose.engine.evaluate import as_network
from paddlepose.export import export
from paddlepose.models import network_class
from paddlepose.models.regression_hrnet import DeformableConv, Transformer
from paddlepose.runtime import OrtNetwork

SKELETON = Skeleton("three", ("a", "b", "c"), ((0, 1),), ((0, 1), (1, 2)))
SMALL = {"width": 8, "regression_channels": 16, "deconv_channels": 8, "num_modules": (1, 1, 1), "stem_width": 16}
SIZES = [(1, 64, 64), (2, 64, 64), (2, 96, 160), (1, 160, 32)]  # batch, height, width


def rescorer():
    """A rescoring network, by dice."""
    inputs, rng = features(Poses.empty(3), SKELETON).shape[1], np.random.default_rng(0)
    shapes = {"l1.weight": (inputs, 4), "l1.bias": (4,), "l2.weight": (4, 4), "l2.bias": (4,)}
    shapes |= {"l3.weight": (4, 1), "l3.bias": (1,)}
    return Rescorer({name: rng.random(shape, np.float32) for name, shape in shapes.items()}, SKELETON)


RESCORER = rescorer()


def build(*, higher=False):
    """A narrow network whose taps move by some pixels and whose statistics are not the fresh ones."""
    paddle.seed(0)
    model = network_class("regression_hrnet")(3, higher=higher, **SMALL)
    for block in model.sublayers():
        if isinstance(block, Transformer):
            for conv in (block.transform_matrix_conv1, block.transform_matrix_conv2):
                conv.weight.set_value(0.2 * paddle.randn(conv.weight.shape))
                conv.bias.set_value(paddle.randn([4]))
    model.train()
    for _ in range(2):
        model(paddle.randn([2, 3, 64, 64]))
    return model


def card_of(*, higher=False):
    heatmap, weights = ((32, 32), (0.1, 0.025)) if higher else ((16, 16), (0.1,))
    codec = {"name": "regression", "input_size": (64, 64), "heatmap_size": heatmap, "bg_weight": weights}
    return Card("bottom_up", "regression_hrnet", (64, 64), SKELETON, codec)


FORMS = {"usual": (False, False), "higher": (True, False), "portable": (False, True), "higher, portable": (True, True)}


@pytest.fixture(scope="module", params=FORMS, ids=FORMS)
def form(request):
    """Whether the network is the higher one, and its file the portable one."""
    return FORMS[request.param]


@pytest.fixture(scope="module")
def higher(form):
    return form[0]


@pytest.fixture(scope="module")
def portable(form):
    return form[1]


@pytest.fixture(scope="module")
def exported(tmp_path_factory, higher, portable):
    """A network and its file."""
    model, path = build(higher=higher), tmp_path_factory.mktemp("export") / "net.onnx"
    assert export(model, card_of(higher=higher), path, portable=portable, rescorer=RESCORER) < 1e-4
    assert not any(layer.by_grid for layer in model.sublayers() if isinstance(layer, DeformableConv))
    return model, path


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_any_size_and_number(exported, higher, size):
    """Each output as the network gives it, of the three heads the maximum; codecs join both to the same."""
    model, path = exported
    batch, height, width = size
    images = np.random.default_rng(1).standard_normal((batch, 3, height, width), np.float32)
    wanted, found = as_network(model)(images), OrtNetwork(path)(images)
    predictor = runtime.load(path)
    for ours, theirs in zip(predictor.codec.join(found), predictor.codec.join(wanted), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4 * np.abs(theirs).max())
    if higher:
        heads = wanted[0].reshape(batch, 3, 4, *wanted[0].shape[2:])
        assert np.abs(heads[:, 0] - heads[:, 1]).max() > 1e-3
        wanted[0] = heads.max(1)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


def test_the_file_says_what_it_is(exported, higher, portable):
    graph = onnx.load(str(exported[1]))
    names = ["heatmaps", *["fine_heatmaps"] * higher, "offsets"]
    assert [output.name for output in graph.graph.output] == names
    dimensions = [d.dim_param or d.dim_value for d in graph.graph.input[0].type.tensor_type.shape.dim]
    assert dimensions == ["batch", 3, "image_height", "image_width"]
    kinds = {node.op_type for node in graph.graph.node}
    assert ("DeformConv" in kinds) is not portable and ("GridSample" in kinds) is portable
    assert [(domain.domain, domain.version) for domain in graph.opset_import] == [("", 17 if portable else 19)]


@pytest.mark.parametrize("flip_test", [False, True])
def test_the_predictor_of_a_file_is_that_of_the_network(exported, flip_test):
    """The same maps of a picture, also where it is mirrored."""
    model, path = exported
    predictor = runtime.load(path, flip_test=flip_test, scales=(1, 0.5))
    picture = np.random.default_rng(2).integers(0, 255, (50, 90, 3), np.uint8)
    found = predictor.answers([picture])[0]
    predictor.network = as_network(model)
    wanted = predictor.answers([picture])[0]
    for ours, theirs in zip(found.heatmaps + found.positions, wanted.heatmaps + wanted.positions, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-4 * np.abs(theirs).max())


def test_scores_come_along(exported):
    """A rescoring network in the file's metadata is used where the file is."""
    found, rng = runtime.load(exported[1]).rescorer, np.random.default_rng(1)
    poses = Poses(rng.random((5, 3, 2)), rng.random((5, 3)), rng.random(5))
    assert np.array_equal(found(poses).score, RESCORER(poses).score)
    assert not np.array_equal(found(poses).score, poses.score)


def test_a_runtime_without_deformable_convolutions(exported, monkeypatch):
    """What helps is said."""

    def refuse(*_, **__):
        raise RuntimeError("9 : NOT_IMPLEMENTED : Could not find an implementation for DeformConv(19)\nmore")

    monkeypatch.setattr(ort, "InferenceSession", refuse)
    with pytest.raises(ValueError, match=r"DeformConv\(19\); 1.25 and later can, or export .* --portable$"):
        OrtNetwork(exported[1])
