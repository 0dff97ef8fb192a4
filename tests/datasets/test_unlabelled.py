"""Pictures without labels: one person each, or those of a file of boxes, of whose joints nothing is known."""

import json

import cv2
import numpy as np
import pytest

from paddlepose import config
from paddlepose.core.geometry import Region
from paddlepose.core.types import ImageRecord, Person, Skeleton
from paddlepose.datasets import _unlabelled
from paddlepose.samples.topdown import TopDownSamples


@pytest.fixture
def folder(tmp_path):
    """Three pictures of 60 x 40 pixels, a text and a video's name."""
    for name in ("a.jpg", "b.png", "c12.jpg"):
        cv2.imwrite(str(tmp_path / name), np.full((40, 60, 3), 128, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "film.mp4").write_text("no picture either")
    return tmp_path


def read(folder, boxes=None):
    """The records of the folder for three joints and regions as wide as high, with boxes if there are any."""
    path = None
    if boxes is not None:
        path = folder / "boxes.json"
        path.write_text(json.dumps(boxes))
    return _unlabelled.records(folder, path, joints=3, aspect=1.0)


def test_without_boxes_a_person_fills_the_picture(folder):
    found = read(folder)
    assert [record.path.name for record in found] == ["a.jpg", "b.png", "c12.jpg"]
    for record in found:
        (person,) = record.people
        assert record.size == (60, 40) and not person.labelled
        np.testing.assert_array_equal(person.joints, np.zeros((3, 3)))
        np.testing.assert_array_equal(person.box, [0, 0, 60, 40])
        np.testing.assert_array_equal(person.region.center, [30, 20])
        np.testing.assert_array_equal(person.region.size, [75, 75])  # 60 wide, so as high, and a quarter more


BOXES = {
    "by name": {"a.jpg": [[10, 5, 20, 10], [0, 0, 8, 8]], "c12.jpg": [[1, 2, 3, 4]]},
    "detections": [
        {"file_name": "a.jpg", "category_id": 1, "bbox": [10, 5, 20, 10], "score": 0.9},
        {"file_name": "a.jpg", "category_id": 1, "bbox": [0, 0, 8, 8], "score": 0.8},
        {"file_name": "a.jpg", "category_id": 18, "bbox": [0, 0, 5, 5], "score": 0.8},
        {"image_id": 12, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.1},
    ],
}


@pytest.mark.parametrize("boxes", BOXES.values(), ids=BOXES)
def test_people_of_a_file_of_boxes(folder, boxes):
    """A picture that the file does not name shows nobody."""
    found = read(folder, boxes)
    assert [(record.path.name, len(record.people)) for record in found] == [("a.jpg", 2), ("c12.jpg", 1)]
    first, second = found[0].people
    np.testing.assert_array_equal(first.region.center, [20, 10])
    np.testing.assert_array_equal(second.box, [0, 0, 8, 8])
    assert first.area == 200


@pytest.mark.parametrize(
    ("boxes", "error", "message"),
    [
        ({"x.jpg": [[1, 1, 5, 5]]}, ValueError, "UNLABELLED_ROOT .*: 3 pictures, and no box of a person in them"),
        ({"a.jpg": [[70, 1, 5, 5]]}, ValueError, "3 pictures, and no box of a person in them"),
        ({"a.jpg": [[1, 1]]}, ValueError, r"boxes.json: box 0 of 'a.jpg': .* expected 4 numbers"),
    ],
)
def test_boxes_that_show_nobody(folder, boxes, error, message):
    with pytest.raises(error, match=message):
        read(folder, boxes)


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ([], FileNotFoundError, "no picture or video found"),
        (["film.mp4"], ValueError, "0 pictures, and no box of a person in them"),
        (["broken.jpg"], ValueError, "broken.jpg: not a picture that OpenCV can read"),
    ],
)
def test_a_folder_without_pictures(tmp_path, names, error, message):
    for name in names:
        (tmp_path / name).write_text("no picture")
    with pytest.raises(error, match=message):
        read(tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no picture or video found"):
        read(tmp_path / "nowhere")


def test_labels_are_taken_off(tmp_path):
    """Regions stay; the labelled records themselves are as they were."""
    joints = np.array([[1.0, 2.0, 1.0]])
    region = Region(np.zeros(2), np.ones(2))
    labelled = [ImageRecord(7, tmp_path, (Person(joints, region, np.zeros(4), 1.0),), (5, 6))]
    (record,) = _unlabelled.without_labels(labelled)
    (person,) = record.people
    assert (record.id, record.size, person.labelled, person.region) == (7, (5, 6), False, region)
    assert not person.joints.any() and person.joints.shape == (1, 3)
    assert labelled[0].people[0].labelled and joints.all()


def test_samples(folder):
    """Augmented like others, with empty targets that count nothing and a mark that says so."""
    parsed = config.parse(
        {"DATASET": {"PROB_HALF_BODY": 1}, "MODEL": {"IMAGE_SIZE": [64, 64], "HEATMAP_SIZE": [16, 16]}}
    )
    card = parsed.card(Skeleton("three", ("a", "b", "c"), ((0, 1),), ()))
    samples = TopDownSamples(read(folder), card, parsed, train=True)
    for index in range(3):
        sample = samples[index]
        assert sample["image"].shape == (3, 64, 64) and sample["labelled"] == 0
        assert not sample["target"].any() and not sample["weight"].any()
    first = samples[0]["image"]
    samples.epoch = 1
    assert not np.array_equal(samples[0]["image"], first)
