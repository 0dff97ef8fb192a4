"""From drawn people to a deployed model: what the parts do together."""

import subprocess
import sys
from pathlib import Path

import pytest

from paddlepose.commands import main

ROOT = Path(__file__).parents[1]
SMALLER = {
    "MODEL.IMAGE_SIZE": "[64, 64]",
    "MODEL.HEATMAP_SIZE": "[16, 16]",
    "MODEL.NUM_DECONV_FILTERS": "[16, 16, 16]",
    "TRAIN.END_EPOCH": "1",
    "WORKERS": "0",
    "PRINT_FREQ": "1",
}


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    """A folder where a small network has been trained on the drawn COCO set and exported; the options that name it."""
    folder = tmp_path_factory.mktemp("road")
    script = [sys.executable, ROOT / "data" / "make_mini.py", "coco", "--out", folder, "--size", "160x120"]
    subprocess.run(script, check=True, capture_output=True)
    detections = "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
    settings = {
        **SMALLER,
        "DATASET.DATASET": "coco",
        "DATASET.ROOT": folder / "coco",
        "DATASET.TRAIN_SET": "train2017",
        "DATASET.TEST_SET": "val2017",
        "TEST.USE_GT_BBOX": "true",
        "TEST.COCO_BBOX_FILE": folder / "coco" / detections,
        "OUTPUT_DIR": folder / "output",
        "LOG_DIR": folder / "log",
    }
    job = ["--cfg", ROOT / "experiments" / "mini" / "quickstart.yaml", *(i for pair in settings.items() for i in pair)]
    job = [str(argument) for argument in job]
    debug = ("DEBUG", "SAVE_BATCH_IMAGES_GT", "SAVE_BATCH_IMAGES_PRED", "SAVE_HEATMAPS_GT", "SAVE_HEATMAPS_PRED")
    assert main(["train", *job, *(i for name in debug for i in (f"DEBUG.{name}", "true"))]) == 0
    assert main(["export", *job, "--out", str(folder / "posenet.onnx")]) == 0
    return folder, job


@pytest.mark.parametrize("switch", [[], ["--flip-test"], ["--use-detect-bbox"]], ids=str)
def test_weights_and_exported_file_give_the_same_table(road, caplog, switch):
    folder, job = road
    tables = []
    for model in ([], ["--model-file", str(folder / "posenet.onnx")]):
        caplog.clear()
        with caplog.at_level("INFO"):
            assert main(["valid", *job, *model, *switch]) == 0
        tables.append([record.message for record in caplog.records if record.message.startswith("|")])
    assert tables[0] == tables[1]
    assert tables[0][0].startswith("| Arch | AP | Ap .5 |")


def test_what_training_leaves(road):
    folder, _ = road
    names = {path.name for path in (folder / "output/coco/pose_resnet_18/quickstart").iterdir()}
    assert {"checkpoint.pdparams", "model_best.pdparams", "final_state.pdparams", "config.yaml", "debug"} <= names
    assert any(name.endswith("_train.log") for name in names)
    assert list((folder / "log").rglob("vdlrecords*"))


@pytest.mark.parametrize("kind", ["gt", "pred", "hm_gt", "hm_pred"])
@pytest.mark.parametrize("phase", ["train", "val"])
def test_debug_pictures(road, kind, phase):
    folder, _ = road
    assert list((folder / "output/coco/pose_resnet_18/quickstart/debug").glob(f"{phase}_0_{kind}.jpg"))


def test_smoke_test():
    """Poses of a process that cannot import Paddle are those of `infer`."""
    done = subprocess.run([sys.executable, ROOT / "deploy" / "smoke_test.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    assert "equal" in done.stdout
