"""A detector of our own goes the whole road: trained, measured, exported, and its boxes used."""

import json

import cv2
import numpy as np
import paddle
import pytest
import tiny_data

import paddlepose
from paddlepose.commands import main
from paddlepose.config import parse
from paddlepose.core.finder import Finder
from paddlepose.core.types import Card, Skeleton
from paddlepose.engine.job import Job
from paddlepose.losses import Centers

FINDER = """
WORKERS: 0
DATASET: {DATASET: people, ROOT: data, TRAIN_SET: tiny, TEST_SET: tiny, FLIP: false, MIN_SCALE: 1, MAX_SCALE: 1}
MODEL: {NAME: finder, WIDTH: 8, IMAGE_SIZE: [64, 64], HEATMAP_SIZE: [16, 16], INIT_WEIGHTS: false}
CODEC: {NAME: centers}
TRAIN: {BATCH_SIZE: 2, END_EPOCH: 1}
TEST: {USE_GT_BBOX: true}
"""
POSE = """
WORKERS: 0
DATASET: {DATASET: coco, ROOT: data, TRAIN_SET: tiny, TEST_SET: tiny}
MODEL: {NAME: pose_lite, WIDTH: 8, IMAGE_SIZE: [64, 64], HEATMAP_SIZE: [16, 16], INIT_WEIGHTS: false}
LOSS: {NAME: cross_entropy}
TRAIN: {BATCH_SIZE: 4, END_EPOCH: 1}
TEST: {USE_GT_BBOX: true}
"""
ROAD = """
train --cfg finder.yaml
valid --cfg finder.yaml
export --cfg finder.yaml --out finder.onnx
train --cfg pose.yaml
valid --cfg pose.yaml --flip-test
export --cfg pose.yaml --out pose.onnx
deploy --model pose.onnx --detector finder.onnx --img data/images --out poses
convert output/people/finder/finder/final_state.pdparams --cfg finder.yaml --out again.onnx
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with people in pictures, and both experiments."""
    tiny_data.write_coco(tmp_path / "data")
    labels = json.loads((tmp_path / "data" / "annotations" / "person_keypoints_tiny.json").read_text())
    rows = []
    for image in labels["images"]:
        boxes = [[*row["bbox"], 1] for row in labels["annotations"] if row["image_id"] == image["id"]]
        rows.append({"file": image["file_name"], "boxes": boxes})
    (tmp_path / "data" / "annotations" / "people_tiny.json").write_text(json.dumps(rows))
    (tmp_path / "finder.yaml").write_text(FINDER)
    (tmp_path / "pose.yaml").write_text(POSE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_road(folder, capsys):
    for line in ROAD.strip().splitlines():
        assert main(line.split()) == 0, line + capsys.readouterr().err
    detector = paddlepose.load("finder.onnx")
    assert isinstance(detector, Finder)
    rows = detector(cv2.imread(str(next((folder / "data" / "images").glob("*.jpg")))))
    assert rows.shape[1] == 5
    assert len(list((folder / "poses").glob("*_result.json"))) == 4


def test_coco_labels_serve_a_detector_too(folder):
    """Of everybody labelled the box is used, whether or not there are joints."""
    assert main("train --cfg finder.yaml DATASET.DATASET coco".split()) == 0


def test_a_sample_shows_its_boxes(folder):
    """Where the target has a centre, the distances there are those of a labelled box in the input's pixels."""
    job = Job(parse(finder_settings(folder)), "finder")
    samples = job.loader(train=True).samples
    centers = 0
    for epoch in range(4):
        samples.epoch = epoch
        for sample in (samples[i] for i in range(len(samples))):
            assert sample["image"].shape == (3, 64, 64)
            assert sample["target"].shape == (5, 16, 16)
            assert set(np.unique(sample["weight"][0])) <= {0, 1}
            centers += int((sample["target"][0] == 1).sum())
            assert np.array_equal(samples[0]["target"], samples[0]["target"])
    assert centers > 4


def finder_settings(folder):
    return {
        "DATASET": {"DATASET": "people", "ROOT": str(folder / "data"), "TRAIN_SET": "tiny", "TEST_SET": "tiny"},
        "MODEL": {"NAME": "finder", "WIDTH": 8, "IMAGE_SIZE": [64, 64], "HEATMAP_SIZE": [16, 16]},
        "CODEC": {"NAME": "centers"},
        "TRAIN": {"BATCH_SIZE": 2},
        "WORKERS": 0,
    }


def test_the_loss_is_least_where_the_boxes_are():
    target = paddle.zeros([1, 5, 4, 4])
    target[0, 0, 1, 2] = 1.0
    target[0, 1:, 1, 2] = 0.7
    weight = paddle.zeros([1, 2, 4, 4])
    weight[:, 0] = 1.0
    weight[0, 1, 1, 2] = 1.0
    batch = {"target": target, "weight": weight}
    right = target.clone()
    right[0, 0] = 20 * target[0, 0] - 10
    wrong = right.flip(-1)
    assert Centers()([right], batch)["loss"].item() < 1e-3
    assert Centers()([wrong], batch)["centers"].item() > 5
    farther = right.clone()
    farther[0, 1:, 1, 2] += 0.5
    assert Centers()([farther], batch)["distances"].item() == pytest.approx(0.5, abs=1e-5)


def test_boxes_come_back_from_the_input_to_the_picture():
    """A network that always sees a box of 16 x 32 input pixels finds it where the picture was laid into the input."""

    def network(images):
        maps = np.full((len(images), 5, 16, 16), -10, np.float32)
        maps[:, 0, 8, 8] = 10
        maps[:, 1:, 8, 8] = np.log([2, 4, 2, 4])
        return [maps]

    settings = {"name": "centers", "input_size": (64, 64), "heatmap_size": (16, 16)}
    card = Card("detector", "finder", (64, 64), Skeleton("people", ("person",), (), ()), settings)
    ((x, y, width, height, score),) = Finder(network, card)(np.zeros((128, 128, 3), np.uint8))
    assert (width, height) == pytest.approx((32, 64), abs=1e-6)
    assert (x + width / 2, y + height / 2) == pytest.approx((67.5, 67.5), abs=2)
    assert score > 0.99
