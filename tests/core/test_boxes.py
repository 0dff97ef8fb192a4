import json
from pathlib import Path

import numpy as np
import pytest

from paddlepose.core.boxes import BoxSource, boxes_around, parse_box, read_boxes
from paddlepose.core.types import Poses

SIZE = (100, 80)


@pytest.mark.parametrize(("text", "expected"), [("1,2,3,4", [1, 2, 3, 4, 1]), (" -1.5, 2 ,3e1,4", [-1.5, 2, 30, 4, 1])])
def test_a_box_is_four_numbers(text, expected):
    assert parse_box(text) == expected


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,0,4", "1,2,3,-4", "nan,2,3,4", "1,2,inf,4"])
def test_anything_else_is_refused_with_the_form(text):
    with pytest.raises(ValueError, match=f"--bbox {text}: expected x,y,width,height"):
        parse_box(text)


def read(tmp_path, content, least_score=0.5):
    path = tmp_path / "boxes.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_boxes(path, least_score)


def test_coco_detections_are_kept_by_score_and_category(tmp_path):
    found = read(
        tmp_path,
        [
            {"image_id": 785, "bbox": [1, 2, 3, 4], "score": 0.5, "category_id": 1},
            {"image_id": 785, "bbox": [5, 6, 7, 8], "score": 0.4},
            {"image_id": 785, "bbox": [5, 6, 7, 8], "score": 0.9, "category_id": 18},
            {"file_name": "a.jpg", "bbox": [5, 6, 7, 8]},
        ],
    )
    assert found == {785: [[1, 2, 3, 4, 0.5]], "a.jpg": [[5, 6, 7, 8, 1]]}


def test_boxes_by_name_are_bare_or_with_a_score(tmp_path):
    found = read(tmp_path, {"a.jpg": [[1, 2, 3, 4], {"bbox": [5, 6, 7, 8], "score": 0.7}], "b.jpg": []})
    assert found == {"a.jpg": [[1, 2, 3, 4, 1], [5, 6, 7, 8, 0.7]]}


@pytest.mark.parametrize(
    "content",
    [
        "3",
        "[1]",
        [{"bbox": [1, 2, 3, 4]}],
        [{"image_id": 1}],
        {"a": [[1, 2, 3]]},
        {"a": 1},
        {"a": [None]},
    ],
)
def test_other_files_are_refused(tmp_path, content):
    with pytest.raises(ValueError, match=r"boxes.json: expected COCO's detections or"):
        read(tmp_path, content)


def test_a_file_that_is_no_json_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"boxes.json: not JSON"):
        read(tmp_path, "no json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.json"):
        read_boxes(tmp_path / "none.json", 0.5)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (785, "photos/000000000785.jpg"),
        (785, "COCO_val2014_000000000785.jpg"),
        ("a.jpg", "/photos/x/a.jpg"),
        ("x/a.jpg", "/photos/x/a.jpg"),
        ("12.jpg", "12.jpg"),
    ],
)
def test_a_picture_is_found_by_name_or_number(key, path):
    assert BoxSource(by_picture={key: [[1, 2, 3, 4, 0.9]]})(Path(path), SIZE).tolist() == [[1, 2, 3, 4, 0.9]]


def test_the_longest_name_wins():
    source = BoxSource(by_picture={"a.jpg": [[1, 1, 1, 1, 1]], "x/a.jpg": [[2, 2, 2, 2, 1]]})
    assert source(Path("x/a.jpg"), SIZE)[0, 0] == 2
    assert source(Path("y/a.jpg"), SIZE)[0, 0] == 1


def test_a_picture_without_boxes_has_no_people_and_a_warning(caplog):
    assert BoxSource(by_picture={})(Path("a.jpg"), SIZE).shape == (0, 5)
    assert "a.jpg" in caplog.text


def test_without_boxes_the_whole_picture_is_one():
    assert BoxSource()(Path("a.jpg"), SIZE).tolist() == [[0, 0, 100, 80, 1]]


def test_boxes_that_show_nothing_are_left_out_one_warning_each(caplog):
    outside = [[100, 0, 5, 5, 1], [0, 80, 5, 5, 1], [-5, 0, 5, 5, 1], [0, 0, 0, 5, 1], [0, 0, float("nan"), 5, 1]]
    partly = [[99, 79, 50, 50, 1], [-4, 0, 5, 5, 1]]
    assert BoxSource(same=outside + partly)(Path("a.jpg"), SIZE).tolist() == partly
    assert [record.getMessage().count("a.jpg: box [") for record in caplog.records] == [1] * 5


def test_boxes_around_people():
    xy = np.array([[[10.0, 20], [30, 60], [20, 40], [500, 500]], [[0, 0], [10, 20], [5, 5], [8, 8]]])
    scores = np.array([[0.9, 0.8, 0.2, 0.05], [0.9, 0.01, 0.02, 0.03]])
    doubtful = Poses(xy[:1], scores[:1], np.array([0.1]))
    boxes = boxes_around(Poses(xy, scores, np.array([0.7, 0.3])))
    # A tenth of the extent more on each side; the joint of low score does not count where three others do.
    assert np.allclose(boxes, [[8, 16, 24, 48, 0.7], [-1, -2, 12, 24, 0.3]])
    assert boxes_around(doubtful).shape == (0, 5)


def test_a_box_around_one_place_has_a_size():
    assert (boxes_around(Poses(np.ones((1, 3, 2)), np.ones((1, 3)), np.ones(1)))[0, 2:4] > 0).all()
