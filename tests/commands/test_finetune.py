"""From a network that is there already to one's own joints: the experiment that is written, and its training."""

import json

import cv2
import numpy as np
import pytest
import yaml

from paddlepose.commands import main
from paddlepose.commands.finetune import _schedule

JOINTS = ["beak", "head", "left_foot", "right_foot"]


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    """The folder that `import` wrote of eight images with four joints."""
    folder, rng = tmp_path_factory.mktemp("birds"), np.random.default_rng(0)
    images, annotations = [], []
    for i in range(1, 9):
        cv2.imwrite(str(folder / f"{i}.jpg"), rng.integers(0, 256, (120, 120, 3)).astype(np.uint8))
        images.append({"id": i, "file_name": f"{i}.jpg", "width": 120, "height": 120})
        points = [value for x, y in rng.uniform(20, 100, (4, 2)) for value in (float(x), float(y), 2)]
        one = {"id": i, "image_id": i, "category_id": 1, "bbox": [10, 10, 100, 100], "area": 5000, "iscrowd": 0}
        annotations.append({**one, "keypoints": points, "num_keypoints": 4})
    category = {"id": 1, "name": "bird", "keypoints": JOINTS, "skeleton": [[1, 2]]}
    labels = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "labels.json").write_text(json.dumps(labels))
    assert main(["import", str(folder / "labels.json"), "--out", str(folder / "data")]) == 0
    return folder / "data"


def settings(tmp_path):
    return ["OUTPUT_DIR", str(tmp_path / "out"), "LOG_DIR", str(tmp_path / "log"), "WORKERS", "0"]


def test_a_network_of_the_package_learns_other_joints(birds, tmp_path, caplog, capsys):
    caplog.set_level("INFO")
    (birds / "finetune_person17.yaml").unlink(missing_ok=True)
    assert main(["finetune", "--data", str(birds), *settings(tmp_path), "TRAIN.END_EPOCH", "1"]) == 0
    assert "people to train on, 4 joints; pose_lite of person17 had 17" in capsys.readouterr().out
    (line,) = (message for message in caplog.messages if message.startswith("=> loading pretrained model"))
    assert "265 weights loaded; 2 mismatched: final_layer.weight" in line
    experiment = yaml.safe_load((birds / "finetune_person17.yaml").read_text())
    assert experiment["MODEL"]["NAME"] == "pose_lite"
    assert experiment["DATASET"]["SKELETON"]["FLIP_PAIRS"] == [["left_foot", "right_foot"]]
    assert experiment["LOSS"] == {"NAME": "cross_entropy"}
    run = tmp_path / "out" / "coco" / "pose_lite" / "finetune_person17"
    assert (run / "model_best.pdparams").is_file() and (run / "curves.png").is_file()


def test_an_experiment_that_is_there_is_used_as_it_is(birds, tmp_path, capsys):
    path = birds / "finetune_person17.yaml"
    path.write_text("MODEL: {NAME: nothing}\n")
    assert main(["finetune", "--data", str(birds), *settings(tmp_path)]) == 1
    assert path.read_text() == "MODEL: {NAME: nothing}\n"
    said = capsys.readouterr()
    assert "is there already: it is used as it is" in said.out and "no models named 'nothing'" in said.err
    path.unlink()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "{none}"], "expected a folder with none.yaml, as `paddlepose import` writes"),
        (["--data", "{birds}", "--from", "finder"], "expected a top-down network's weights, these are of finder"),
        (["--data", "{birds}", "--from", "resnet999"], "resnet999: no such file, and no model of that name"),
    ],
)
def test_mistakes_are_one_line(birds, tmp_path, capsys, arguments, message):
    words = [word.format(none=tmp_path / "none", birds=birds) for word in arguments]
    assert main(["finetune", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(("people", "steps"), [(1, 400), (48, 415), (1000, 1897), (10_000, 6000), (10**6, 20_000)])
def test_the_schedule_counts_steps(people, steps):
    train = _schedule(people)
    found = train["END_EPOCH"] * -(-people // train["BATCH_SIZE"])
    assert steps <= found <= steps + -(-people // train["BATCH_SIZE"])
