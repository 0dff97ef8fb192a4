"""From drawn crowds to everybody's poses: training, measuring, rescoring, export and deploy together."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import paddle
import pytest

from paddlepose.commands import main
from paddlepose.datasets._skeleton import COCO, CROWDPOSE
from paddlepose.engine import rescoring
from paddlepose.metrics.matches import Matches

ROOT = Path(__file__).parents[1]
SMALLER = {
    "MODEL.WIDTH": "4",
    "MODEL.STEM_WIDTH": "8",
    "MODEL.REGRESSION_CHANNELS": "8",
    "MODEL.IMAGE_SIZE": "[64, 64]",
    "MODEL.HEATMAP_SIZE": "[16, 16]",
    "CODEC.KEYPOINT_THRESHOLD": "0.0001",
    "TRAIN.END_EPOCH": "1",
    "TEST.FLIP_TEST": "false",
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


@pytest.mark.parametrize("road", ["coco"], indirect=True)
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
        assert main([name, *options, "--img", str(picture), "--out", str(out), "--visthre", "0"]) == 0
        poses.append(json.loads((out / "picture_result.json").read_text())["people"])
    assert len(poses[0]) == len(poses[1]) > 0
    one, other = (np.array([list(person["keypoints"].values()) for person in people])[..., :2] for people in poses)
    # After one epoch maps are flat; which of many like peaks count may depend on the last digit.
    assert (np.abs(one - other).max(-1) < 0.1).mean() > 0.8


@pytest.fixture(scope="module")
def quiet(drawn):
    """An exported network, in portable form, from the published start: its maps are nearly empty after an epoch."""
    job = job_of(drawn, "coco", **{"MODEL.INIT_WEIGHTS": "true", "OUTPUT_DIR": drawn / "quiet"})
    assert main(["train", *job]) == 0
    assert main(["export", *job, "--portable", "--out", str(drawn / "quiet.onnx")]) == 0
    return drawn / "quiet.onnx"


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("empty", np.zeros((60, 80, 3), np.uint8)),
        ("dot", np.full((1, 1, 3), 255, np.uint8)),
        ("grey", np.full((60, 80), 128, np.uint8)),
        ("alpha", np.full((60, 80, 4), 128, np.uint8)),
    ],
)
def test_pictures_without_people_give_empty_results(drawn, quiet, name, picture):
    folder, path = drawn, drawn / f"{name}.png"
    cv2.imwrite(str(path), picture)
    arguments = ["--model", str(quiet), "--img", str(path), "--out", str(folder / "none"), "--visthre", "0.9"]
    assert main(["deploy", *arguments]) == 0
    assert json.loads((folder / "none" / f"{name}_result.json").read_text()) == {"people": []}


def refused(capsys, *arguments: str) -> str:
    """The line on the error stream of a command that must fail."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("road", ["coco"], indirect=True)
def test_pictures_without_labels_give_results_and_no_figures(road, tmp_path, caplog):
    folder, job, _ = road
    labels = json.loads((folder / "coco" / "annotations" / "person_keypoints_val2017.json").read_text())
    info = tmp_path / "annotations" / "image_info_test-dev2017.json"
    info.parent.mkdir()
    info.write_text(json.dumps({key: labels[key] for key in ("images", "categories")}))
    shutil.copytree(folder / "coco" / "images" / "val2017", tmp_path / "images" / "test2017")
    weights = next((folder / "output").rglob("coco/**/final_state.pdparams"))
    data = ["DATASET.ROOT", str(tmp_path), "DATASET.TEST_SET", "test-dev2017", "OUTPUT_DIR", str(tmp_path / "output")]
    with caplog.at_level("INFO"):
        assert main(["valid", *job, *data, "--model-file", str(weights)]) == 0
    heads = [message.splitlines()[0] for message in tables(caplog)]
    assert heads == ["Testing regression", "| Arch | Null |", "Testing final", "| Arch | Null |"]
    assert len(list(tmp_path.rglob("keypoints_test-dev2017_*_results.json"))) == 2


@pytest.mark.parametrize("road", ["coco"], indirect=True)
def test_a_picture_that_is_too_long_is_refused(road, capsys):
    folder, job, _ = road
    cv2.imwrite(str(folder / "long.png"), np.zeros((20, 1000, 3), np.uint8))
    line = refused(capsys, "infer", *job, "--img", folder / "long.png", "--out", folder / "none")
    assert "a picture of 1000x20 pixels is too long: cut it, at most 16 to 1" in line


def test_a_rescoring_file_of_the_other_data_set_is_refused(road, capsys):
    folder, job, dataset = road
    other = {"coco": "crowdpose", "crowdpose": "coco"}[dataset]
    skeleton = {"coco": COCO, "crowdpose": CROWDPOSE}[other]
    weights = folder / f"rescore_of_{other}.pdparams"
    paddle.save(rescoring.network(skeleton, 8).state_dict(), str(weights))
    assert f"rescore_of_{other}.pdparams: a rescoring network" in refused(
        capsys, "valid", *job, "RESCORE.MODEL_FILE", weights
    )
    Matches(np.zeros((1, len(skeleton.joints), 2)), np.zeros((1, len(skeleton.joints))), np.zeros(1)).save(
        folder / "other.npz", skeleton
    )
    line = refused(
        capsys,
        "rescore_train",
        *job,
        "RESCORE.DATA_FILE",
        folder / "other.npz",
        "RESCORE.MODEL_FILE",
        folder / "x.pdparams",
    )
    assert f"other.npz: poses of '{other}', but the data set is '{dataset}'" in line


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        (["TEST.SCALE_FACTOR", "0.5,a"], "TEST.SCALE_FACTOR.1: .*valid number"),
        (["TEST.SCALE_FACTOR", "0.5,2"], r"TEST.SCALE_FACTOR \(0.5, 2.0\): 1 must be among the scales"),
        (["TEST.SCALE_FACTOR", "1,0"], "TEST.SCALE_FACTOR.1: .*greater than 0"),
        (
            ["MODEL.IMAGE_SIZE", "[64, 96]", "MODEL.HEATMAP_SIZE", "[16, 24]"],
            "bottom-up networks are trained on squares",
        ),
        (["MODEL.IMAGE_SIZE", "[80, 80]", "MODEL.HEATMAP_SIZE", "[20, 20]"], "regression_hrnet takes multiples of 32"),
        (["DATASET.DATASET", "mpii"], "DATASET.DATASET mpii: bottom-up networks need coco or crowdpose"),
        (
            ["CODEC", "{NAME: heatmap}", "TEST.USE_GT_BBOX", "true"],
            "CODEC.NAME heatmap: is top_down, but regression_hrnet is bottom_up",
        ),
        (["CODEC.BG_WEIGHT", "[0.1, 0.1]"], "BG_WEIGHT: 2 values for 1 sizes of heatmaps"),
        (["DATASET.MIN_SCALE", "2"], "DATASET.MAX_SCALE 1.1 is below DATASET.MIN_SCALE"),
        (["DEBUG.DEBUG", "true"], "DEBUG: is for top-down networks only"),
        (["RESCORE.MODEL_FILE", "none.pdparams"], "none.pdparams: no such file"),
    ],
)
def test_settings_that_cannot_be_used(drawn, capsys, settings, pattern):
    command = "valid" if settings[0].startswith("RESCORE") else "train"
    assert re.search(pattern, refused(capsys, command, *job_of(drawn, "coco"), *settings))


def changed(drawn: Path, tmp_path: Path, dataset: str, change: Callable[[dict], None]) -> list[str]:
    """A job on a copy of the labels with a change."""
    shutil.copytree(drawn / dataset, tmp_path / dataset)
    for path in (tmp_path / dataset).rglob("*.json"):
        if "person_detection" not in str(path):
            labels = json.loads(path.read_text())
            change(labels)
            path.write_text(json.dumps(labels))
    return job_of(drawn, dataset, **{"DATASET.ROOT": tmp_path / dataset, "OUTPUT_DIR": tmp_path})


def test_annotations_without_area_are_taken(drawn, tmp_path):
    job = changed(drawn, tmp_path, "coco", lambda labels: [row.pop("area") for row in labels["annotations"]])
    assert main(["train", *job]) == 0


def test_a_set_with_other_joints_needs_no_code(drawn, tmp_path, caplog):
    def change(labels):
        (category,) = labels["categories"]
        category |= {"keypoints": ["top", "left_end", "right_end"], "skeleton": [[1, 2], [1, 3]]}
        for row in labels["annotations"]:
            row["keypoints"] = [row["keypoints"][3 * joint + i] for joint in (0, 9, 10) for i in range(3)]

    with caplog.at_level("INFO"):
        assert main(["train", *changed(drawn, tmp_path, "coco", change)]) == 0
    assert len(tables(caplog)) == 4
    results = next(tmp_path.rglob("keypoints_val2017_final_results.json"))
    assert {len(row["keypoints"]) for row in json.loads(results.read_text())} == {9}


def test_crowdpose_without_crowd_index_is_refused(drawn, tmp_path, capsys):
    job = changed(drawn, tmp_path, "crowdpose", lambda labels: [row.pop("crowdIndex") for row in labels["images"]])
    assert "an image has no 'crowdIndex', which CrowdPose's figures need" in refused(capsys, "train", *job)


def test_zip_archives_are_read(drawn, tmp_path):
    data = tmp_path / "crowdpose"
    (data / "json").mkdir(parents=True)
    for file in (drawn / "crowdpose" / "json").iterdir():
        (data / "json" / file.name).write_bytes(file.read_bytes())
    with zipfile.ZipFile(data / "images.zip", "w") as archive:
        for file in (drawn / "crowdpose" / "images").iterdir():
            archive.write(file, f"images/{file.name}")
    job = job_of(drawn, "crowdpose", **{"DATASET.ROOT": data, "DATASET.DATA_FORMAT": "zip", "OUTPUT_DIR": tmp_path})
    assert main(["train", *job]) == 0
