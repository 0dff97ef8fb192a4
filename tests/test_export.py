"""Exported files: small, described, checked, and the network's equal."""

import numpy as np
import onnx
import paddle
import pytest

from paddlepose import export as module
from paddlepose import plugins
from paddlepose.core.types import Card, Skeleton
from paddlepose.engine.evaluate import as_network
from paddlepose.export import export
from paddlepose.models import network_class
from paddlepose.runtime import OrtNetwork

SMALL = {"pose_resnet": {"depth": 18, "num_deconv_filters": (16, 16, 16)}}
SKELETON = Skeleton("four", ("a", "b", "c", "d"), (), ())
CARD = Card(
    "top_down", "any", (96, 64), SKELETON, {"name": "heatmap", "input_size": (96, 64), "heatmap_size": (24, 16)}
)


def build(name):
    """A network with statistics that are not the fresh ones, so that folding them can go wrong."""
    paddle.seed(0)
    model = network_class(name)(4, **SMALL.get(name, {}))
    model.train()
    for _ in range(2):
        model(paddle.randn([4, 3, 64, 96]))
    return model


@pytest.fixture(scope="module")
def small():
    return build("pose_resnet")


@pytest.mark.parametrize("name", plugins.names("models"))
def test_every_network_exports(tmp_path, name):
    model = build(name)
    assert export(model, CARD, tmp_path / "net.onnx") < 1e-4
    exported = OrtNetwork(tmp_path / "net.onnx")
    assert exported.card == CARD
    images = np.random.default_rng(1).standard_normal((3, 3, 64, 96), np.float32)
    wanted = as_network(model)(images)[-1]
    for batch in (1, 3):
        (found,) = exported(images[:batch])
        np.testing.assert_allclose(found, wanted[:batch], atol=1e-4 * np.abs(wanted).max())


def test_the_file_says_what_it_is(tmp_path, small):
    export(small, CARD, tmp_path / "net.onnx")
    model = onnx.load(str(tmp_path / "net.onnx"))
    (image,), (maps,) = model.graph.input, model.graph.output
    assert (image.name, maps.name) == ("image", "heatmaps")
    assert image.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert [domain.domain for domain in model.opset_import] == [""]


def test_a_file_that_differs_is_not_left(tmp_path, small, monkeypatch):
    monkeypatch.setattr(module, "_difference", lambda *_: 1.0)
    with pytest.raises(ValueError, match="not written"):
        export(small, CARD, tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_difference_that_is_no_number_is_refused(tmp_path, small, monkeypatch):
    monkeypatch.setattr(module, "_difference", lambda *_: float("nan"))
    with pytest.raises(ValueError, match="not written"):
        export(small, CARD, tmp_path / "net.onnx")


def test_nothing_is_printed(tmp_path, small, capfd):
    export(small, CARD, tmp_path / "net.onnx")
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
