"""Exported files: small, described, checked, and the network's equal."""

import numpy as np
import onnx
import onnxruntime as ort
import paddle
import pytest

from paddlepose import codecs, plugins
from paddlepose import export as module
from paddlepose.config import parse
from paddlepose.core.types import Card, Skeleton
from paddlepose.engine.evaluate import as_network
from paddlepose.engine.job import Job
from paddlepose.export import export
from paddlepose.models import build_network, network_class
from paddlepose.runtime import OrtNetwork

# The smallest of each family.
SMALL = {
    "hourglass": {"num_stacks": 2, "num_features": 32},
    "pose_ppnet": {"width": 16},
    "pose_hrnet": {"width": 16},
    "pose_resnet": {"depth": 18, "num_deconv_filters": (16, 16, 16)},
}
TOP_DOWN = [name for name in plugins.names("models") if not hasattr(network_class(name), "kind")]
SKELETON = Skeleton("four", ("a", "b", "c", "d"), (), ())
CARD = Card(
    "top_down", "any", (128, 64), SKELETON, {"name": "heatmap", "input_size": (128, 64), "heatmap_size": (32, 16)}
)


def build(name):
    """A network with statistics that are not the fresh ones, so that folding them can go wrong."""
    paddle.seed(0)
    model = network_class(name)(4, **SMALL.get(name, {}))
    model.train()
    for _ in range(2):
        model(paddle.randn([4, 3, 64, 128]))
    return model


@pytest.fixture(scope="module")
def small():
    return build("pose_resnet")


@pytest.mark.parametrize("name", TOP_DOWN)
def test_every_network_exports(tmp_path, name):
    model = build(name)
    assert export(model, CARD, tmp_path / "net.onnx") < 1e-4
    exported = OrtNetwork(tmp_path / "net.onnx")
    assert exported.card == CARD
    images = np.random.default_rng(1).standard_normal((3, 3, 64, 128), np.float32)
    wanted = as_network(model)(images)[-1]
    for batch in (1, 3):
        (found,) = exported(images[:batch])
        np.testing.assert_allclose(found, wanted[:batch], atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("name", TOP_DOWN)
def test_keypoints_on_real_crops(tmp_path, real_data, name):
    """onnxruntime finds the network's keypoints within 0.05 pixels on 20 people of COCO, one by one and by threes."""
    raw = {
        "DATASET": {"DATASET": "coco", "ROOT": str(real_data("coco_mini")), "TEST_SET": "train2017"},
        "MODEL": {"NAME": name, "IMAGE_SIZE": [128, 128], "HEATMAP_SIZE": [32, 32]},
        "TEST": {"USE_GT_BBOX": True},
    }
    raw["MODEL"] |= {key.upper(): value for key, value in SMALL.get(name, {}).items()}
    job = Job(parse(raw), "any")
    crops = np.stack([job.loader(train=False).samples[i]["image"] for i in range(20)])
    paddle.seed(0)
    model = build_network(job.config, 17)
    for _ in range(4):  # statistics of real crops, without which maps have no clear maximum
        model(paddle.to_tensor(crops))
    export(model, job.card, tmp_path / "net.onnx", real=[crops])
    network, exported = as_network(model), OrtNetwork(tmp_path / "net.onnx")
    codec = codecs.build(job.card.codec)
    wanted = network(crops)[-1]
    xy, _ = codec.decode(wanted)
    assert len(np.unique(xy.reshape(-1, 2), axis=0)) > 20
    for batch in (1, 3):
        found = np.concatenate([exported(crops[i : i + batch])[0] for i in range(0, 20, batch)])
        assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()
        assert np.abs(codec.decode(found)[0] - xy).max() < 0.05


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


def test_a_batch_norm_after_a_transposed_convolution_is_folded():
    """Older versions of onnxruntime leave it; the sum that is left gives what both gave."""
    rng = np.random.default_rng(0)
    values = {
        "weight": rng.standard_normal((3, 5, 4, 4)),
        "scale": rng.uniform(0.5, 1.5, 5),
        "shift": rng.standard_normal(5),
        "mean": rng.standard_normal(5),
        "variance": rng.uniform(0.5, 1.5, 5),
    }
    constants = [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in values.items()]
    nodes = [
        onnx.helper.make_node("ConvTranspose", ["x", "weight"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1]),
        onnx.helper.make_node("BatchNormalization", ["y", "scale", "shift", "mean", "variance"], ["z"], epsilon=1e-5),
    ]
    ends = [onnx.helper.make_tensor_value_info(name, 1, ["n", None, None, None]) for name in "xz"]
    graph = onnx.helper.make_graph(nodes, "two", ends[:1], ends[1:], constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    x = rng.standard_normal((2, 3, 6, 4), np.float32)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    wanted = ort.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]
    module._fold_deconvolutions(model.graph)
    assert [node.op_type for node in model.graph.node] == ["ConvTranspose"]
    found = ort.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
