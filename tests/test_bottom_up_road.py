"""From drawn crowds to everybody's poses: training, measuring, rescoring, export and deploy together."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlepose.commands import main

ROOT = Path(__file__).parents[1]
SMALLER = {
    "MODEL.WIDTH": "4",
    "MODEL.REGRESSION_CHANNELS": "8",
    "MODEL.IMAGE_SIZE": "[64, 64]",
    "MODEL.HEATMAP_SIZE": "[16, 16]",
    "CODEC.KEYPOINT_THRESHOLD": "0.0001",
    "TRAIN.END_EPOCH": "1",
    "WORKERS": "0",
    "PRINT_FREQ": "1",
}
SPLITS = {"coco": ("train2017", "val2017"), "crowdpose": ("trainval", "test")}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with a few drawn pictures of both data sets."""
    folder = tmp_path_factory.mktemp("crowds")
    script = [sys.executable, ROOT / "data" / "make_mini.py", "coco", "crowdpose", "--out", folder, "--size", "96x64"]
    subprocess.run([*script, "--train", "6", "--valid", "4"], check=True, capture_output=True)
    return folder


def job_of(drawn: Path, dataset: str, **more: str) -> list[str]:
    train, test = SPLITS[dataset]
    settings = {
        **SMALLER,
        "DATASET.DATASET": dataset,
        "DATASET.ROOT": drawn / dataset,
        "DATASET.TRAIN_SET": train,
        "DATASET.TEST_SET": test,
        "OUTPUT_DIR": drawn / "output",
        "LOG_DIR": drawn / "log",
        "RESCORE.DATA_FILE": drawn / f"{dataset}.npz",
        **more,
    }
    job = ["--cfg", ROOT / "experiments" / "mini" / "everybody.yaml", *(i for pair in settings.items() for i in pair)]
    return [str(argument) for argument in job]


@pytest.fixture(scope="module", params=["coco", "crowdpose"])
def road(request, drawn):
    """A job whose network has been trained for an epoch: the folder, the job's options, the data set."""
    job = job_of(drawn, request.param)
    assert main(["train", *job]) == 0
    return drawn, job, request.param


def tables(caplog) -> list[str]:
    return [record.message for record in caplog.records if record.message.startswith(("|", "Testing"))]


def test_both_tables_have_the_figures_of_the_data_set(road, caplog):
    _, job, dataset = road
    with caplog.at_level("INFO"):
        assert main(["valid", *job, "TEST.FLIP_TEST", "true", "TEST.SCALE_FACTOR", "0.5,1,2"]) == 0
    found = tables(caplog)
    assert [line for line in found if line.startswith("Testing")] == ["Testing regression", "Testing final"]
    wanted = "| AP (M) | AP (L) | AR |" if dataset == "coco" else "| AP (E) | AP (M) | AP (H) |"
    assert sum(wanted in line for line in found) == 2


def test_results_files_hold_every_pose(road):
    folder, _, dataset = road
    results = folder / "output" / dataset / "regression_hrnet" / "everybody" / "results"
    names = {f"keypoints_{SPLITS[dataset][1]}_{tag}_results.json" for tag in ("regression", "final")}
    assert {path.name for path in results.iterdir()} == names
    for name in names:
        for row in json.loads((results / name).read_text()):
            x, y, width, height = row["bbox"]
            points = np.array(row["keypoints"]).reshape(-1, 3)[:, :2]
            assert np.allclose(points.min(0), (x, y)) and np.allclose(points.max(0), (x + width, y + height))


def test_rescoring_end_to_end(road, caplog):
    folder, job, dataset = road
    weights = folder / f"rescore_{dataset}.pdparams"
    train = SPLITS[dataset][0]
    assert main(["rescore_data", *job, "DATASET.TEST_SET", train]) == 0
    assert main(["rescore_train", *job, "RESCORE.MODEL_FILE", str(weights), "RESCORE.END_EPOCH", "2"]) == 0
    with caplog.at_level("INFO"):
        assert main(["valid", *job, "RESCORE.MODEL_FILE", str(weights)]) == 0
    assert len(tables(caplog)) == 4


def test_exported_file_gives_the_same_poses(road, caplog):
    folder, job, dataset = road
    model = folder / f"{dataset}.onnx"
    assert main(["export", *job, "--out", str(model)]) == 0
    found = []
    for options in ([], ["--model-file", str(model)]):
        caplog.clear()
        with caplog.at_level("INFO"):
            assert main(["valid", *job, *options]) == 0
        found.append(tables(caplog))
    assert found[0] == found[1]
    picture = folder / "picture.png"
    cv2.imwrite(str(picture), np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))
    poses = []
    for name, options in (("infer", job), ("deploy", ["--model", str(model), "--no-flip"])):
        out = folder / f"{dataset}_{name}"
        assert main([name, *options, "--img", str(picture), "--out", str(out)]) == 0
        poses.append(json.loads((out / "picture_result.json").read_text())["people"])
    assert len(poses[0]) == len(poses[1])
    for one, other in zip(*poses, strict=True):
        for joint in one["keypoints"]:
            assert one["keypoints"][joint][:2] == pytest.approx(other["keypoints"][joint][:2], abs=0.1)


def test_zip_archives_are_read(drawn, tmp_path, caplog):
    import zipfile

    data = tmp_path / "crowdpose"
    (data / "json").mkdir(parents=True)
    for file in (drawn / "crowdpose" / "json").iterdir():
        (data / "json" / file.name).write_bytes(file.read_bytes())
    with zipfile.ZipFile(data / "images.zip", "w") as archive:
        for file in (drawn / "crowdpose" / "images").iterdir():
            archive.write(file, f"images/{file.name}")
    job = job_of(drawn, "crowdpose", **{"DATASET.ROOT": data, "DATASET.DATA_FORMAT": "zip", "OUTPUT_DIR": tmp_path})
    assert main(["train", *job]) == 0
