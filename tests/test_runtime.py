from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest
import tiny_onnx

from paddlepose import runtime
from paddlepose.core.predict import BottomUp
from paddlepose.runtime import OrtNetwork

CORNERS = (8, 12), (20, 24), (40, 60)


@pytest.fixture
def model(tmp_path):
    return tiny_onnx.write_model(tmp_path / "squares.onnx")


def test_a_network_is_a_function_with_a_card(model):
    network = OrtNetwork(model)
    (maps,) = network(np.ones((2, 3, 64, 48), np.float32))
    assert maps.shape == (2, 3, 16, 12) and np.allclose(maps, 1)
    assert network.card == tiny_onnx.CARD


@pytest.mark.parametrize("flip_test", [False, True])
def test_poses_of_a_picture(model, flip_test):
    predictor = runtime.load(model, flip_test=flip_test, threads=1)
    assert predictor.flip_test is flip_test
    poses = predictor(tiny_onnx.squares(*CORNERS), [[0, 0, *tiny_onnx.SIZE]], [0.5])
    # The flip test's shift by a pixel of the map spreads each peak over two, the second one to the right.
    assert np.allclose(poses.xy[0], CORNERS, atol=1.01 if flip_test else 1e-6)
    assert np.allclose(poses.scores, 0.5 if flip_test else 1, atol=1e-6)
    assert np.isclose(poses.score[0], poses.scores.mean() * 0.5)


@pytest.mark.parametrize("images", [1, 3, 4, 7])
def test_a_fixed_batch_gives_the_same(tmp_path, model, images):
    fixed = OrtNetwork(tiny_onnx.write_model(tmp_path / "fixed.onnx", batch=3))
    values = np.random.default_rng(0).random((images, 3, 64, 48), np.float32)
    assert np.array_equal(fixed(values)[0], OrtNetwork(model)(values)[0])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.onnx: no such model"):
        OrtNetwork(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(range(256))])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.onnx: not an ONNX file"):
        OrtNetwork(path)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (None, "no card .*paddlepose export"),
        ("{}", "card cannot be read"),
        (tiny_onnx.CARD.to_json().replace('"format": 1', '"format": 99'), "format 99.*update paddlepose"),
    ],
)
def test_a_model_without_a_card_that_can_be_read(tmp_path, card, message):
    with pytest.raises(ValueError, match=f"a.onnx: .*{message}"):
        OrtNetwork(tiny_onnx.write_model(tmp_path / "a.onnx", card))


def test_a_bottom_up_network_looks_at_whole_pictures(tmp_path):
    codec = {"name": "regression", "input_size": (64, 64), "heatmap_size": (16, 16)}
    card = replace(tiny_onnx.CARD, kind="bottom_up", codec=codec)
    model = tiny_onnx.write_model(tmp_path / "a.onnx", card.to_json())
    predictor = runtime.load(model, flip_test=True, scales=(1, 2))
    assert isinstance(predictor, BottomUp)
    assert predictor.flip_test and predictor.scales == [2, 1] and predictor.rescorer is None
    with pytest.raises(ValueError, match="1 among them"):
        runtime.load(model, scales=(2,))


@pytest.mark.parametrize("device", ["gpu", "CUDA", "cuda:0", None])
def test_an_unknown_device_is_refused(model, device):
    """It would be taken for the CPU."""
    with pytest.raises(ValueError, match=f"^device: expected cpu or cuda, got {device!r}$"):
        runtime.load(model, device=device)


def test_cuda_is_never_replaced_by_the_cpu(model, monkeypatch):
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ValueError, match="pip install onnxruntime-gpu"):
        OrtNetwork(model, device="cuda")


def test_a_session_that_falls_back_is_an_error(model, monkeypatch):
    on_cpu = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(ort, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(ort, "InferenceSession", lambda *_, **__: on_cpu)
    with pytest.raises(ValueError, match="pip install onnxruntime-gpu"):
        OrtNetwork(model, device="cuda")
