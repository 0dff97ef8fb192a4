"""Small inputs that ended in a traceback, a hang or a crash: each ends in one line that names its file."""

import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from paddlepose.config import load_config
from paddlepose.core.files import read_arrays, read_json, visible
from paddlepose.core.image import read_picture
from paddlepose.datasets import Source, coco
from paddlepose.metrics.pckh import Truth
from paddlepose.runtime import load

MODELS = {
    "cards/in32k.onnx": "input_size .32000, 32000.: expected sides of 1 to 8192 pixels",
    "cards/in32kt.onnx": "input_size .32000, 32000.: expected sides of 1 to 8192 pixels",
    "cards/kind.onnx": "kind: expected 'top_down' or 'bottom_up' or 'detector', got 'x'",
    "cards/people.onnx": "max_num_people 1000000000: expected 1 to 10000",
    "nan_json/meannan.onnx": "mean: expected a finite number, got nan",
    "nan_json/std0.onnx": "std .*: expected three finite numbers, those of std above 0",
}


def _arrays(path):
    return read_arrays(path, str(path))


@pytest.mark.parametrize("name", MODELS)
def test_a_card_that_cannot_be_is_one_line_with_its_file(fault, name):
    path = fault(name)
    with pytest.raises(ValueError, match=f"^{path}: .*{MODELS[name]}") as error:
        load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["nan_json/nanw.onnx", "nan_json/infw.onnx"])
def test_poses_that_are_not_finite_are_refused(fault, name):
    path = fault(name)
    with pytest.raises(ValueError, match=f"^{path}: its output is not finite"):
        load(path)(np.full((40, 40, 3), 255, np.uint8), [[0, 0, 20, 20]])


@pytest.mark.parametrize(
    ("name", "read", "message"),
    [
        ("mat_segv/gt_fz.mat", Truth.read, "Type 48144 does not appear to be char type|damaged: its reading crashed"),
        ("deep_nesting/deep.json", read_json, "nested too deeply"),
        ("deep_nesting/deep.yaml", load_config, "not YAML: nested too deeply"),
        ("yaml_bomb/bomb.yaml", load_config, "more than 100,000 values, with those that aliases repeat"),
        ("yaml_bomb/bomb2.yaml", load_config, "more than 100,000 values, with those that aliases repeat"),
        ("npz/deep.npz", _arrays, "no arrays that numpy wrote as .npz"),
        ("npz/bighdr.npz", _arrays, "no arrays that numpy wrote as .npz"),
        ("npz/enc.npz", _arrays, "no arrays that numpy wrote as .npz .* is encrypted"),
        ("npz/method99.npz", _arrays, "no arrays that numpy wrote as .npz .* compression method is not supported"),
        ("png_segv/b30k.png", read_picture, "more than 200,000,000 pixels; OPENCV_IO_MAX_IMAGE_PIXELS .* raises"),
        ("hang_sample_error/b65k.png", read_picture, "more than 200,000,000 pixels"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_with_its_name(fault, name, read, message):
    path = fault(name)
    with pytest.raises(ValueError, match=f"^{path}: .*({message})") as error:
        read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["z_enc", "z_m99"])
def test_a_member_that_cannot_be_read_is_one_line_with_its_name(fault, name):
    archive = fault(f"hang_sample_error/{name}/images/tiny.zip")
    with zipfile.ZipFile(archive) as opened:
        member = opened.namelist()[0].removeprefix("tiny/")
    with pytest.raises(ValueError, match=f"^{archive}@/{member}: damaged in the archive"):
        read_picture(Path(f"{archive}@/{member}"))


def test_annotation_files_are_read_and_measured_or_refused_in_one_line(fault, tmp_path):
    """Those that were mutated by dice: a traceback is the one thing that none may end in."""
    options = SimpleNamespace(oks_thre=0.9, in_vis_thre=0.2, soft_nms=False)
    labels = tmp_path / "annotations" / "val.json"
    labels.parent.mkdir()
    accepted = 0
    for path in [*fault("annotations").glob("ann_*.json"), *fault("escapes").glob("*.json")]:
        shutil.copy(path, labels)
        source = Source(tmp_path, "val", 1.0)
        for read in (
            lambda source: coco.records(source),
            lambda source: coco.pictures(source, train=True),
            lambda source: coco.metric(source, tmp_path, options).compute(),
        ):
            try:
                accepted += bool(read(source))
            except FileNotFoundError as error:
                assert "no such picture" in str(error)
            except ValueError as error:
                assert visible(str(error)).startswith(str(labels)), path
    assert accepted
