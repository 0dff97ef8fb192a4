"""Small inputs that ended in a traceback, a hang or a crash: each ends in one line that names its file."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from paddlepose.core.files import visible
from paddlepose.datasets import Source, coco
from paddlepose.runtime import load

MODELS = {
    "cards/in32k.onnx": "input_size .32000, 32000.: expected sides of 1 to 8192 pixels",
    "cards/in32kt.onnx": "input_size .32000, 32000.: expected sides of 1 to 8192 pixels",
    "cards/kind.onnx": "kind: expected 'top_down' or 'bottom_up', got 'x'",
    "cards/people.onnx": "max_num_people 1000000000: expected 1 to 10000",
    "nan_json/meannan.onnx": "mean: expected a finite number, got nan",
    "nan_json/std0.onnx": "std .*: expected three finite numbers, those of std above 0",
}


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
