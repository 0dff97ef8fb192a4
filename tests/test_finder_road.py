"""A detector of our own goes the whole road: trained, measured, exported, and its boxes used."""

import json

import cv2
import numpy as np
import paddle
import pytest
import tiny_data

import paddlepose
from paddlepose.commands import main
from paddlepose.config import load_config
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
    assert main("train --cfg finder.yaml DATASET.DATASET coco".split()) == 0


def test_a_sample_shows_its_boxes(folder):
    """Boxes read from a target have the shape of a labelled one, at a quarter or a half of some zoom; draws repeat."""
    varied = ["DATASET.FLIP", "true", "DATASET.MIN_SCALE", "0.8", "DATASET.MAX_SCALE", "1.2"]
    job = Job(load_config("finder.yaml", varied), "finder")
    samples = job.loader(train=True).samples
    shapes = [person.box[2] / person.box[3] for record in samples.records for person in record.people]
    whole = 0
    for samples.epoch in range(4):
        for i in range(len(samples)):
            sample = samples[i]
            assert sample["image"].shape == (3, 64, 64)
            assert sample["target"].shape == (5, 16, 16)
            assert set(np.unique(sample["weight"][0])) <= {0, 1}
            assert all(np.array_equal(sample[key], samples[i][key]) for key in sample)
            scores = sample["target"][:1].clip(0.001, 0.999)
            boxes = samples.codec.decode(np.concatenate([np.log(scores / (1 - scores)), sample["target"][1:]]))
            edges = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:4]], 1)
            inside = (np.abs(edges - np.rint(edges / 32) * 32) > 0.5).all(1)  # not cut off by the part that it is in
            for width, height in boxes[inside & (boxes[:, 4] > 0.99), 2:4]:
                whole += 1
                assert np.abs(np.divide(shapes, width / height) - 1).min() < 0.01
    assert whole > 4


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
