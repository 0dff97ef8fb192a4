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
    ("content", "message"),
    [
        ("3", "expected COCO's detections or .*, got 3"),
        ("null", "expected COCO's detections or .*, got None"),
        ("[1]", "expected COCO's detections or"),
        ([{"bbox": [1, 2, 3, 4]}], "box 0: image_id: expected a number or a text, got None"),
        ([{"image_id": 1}], "box 0: box of x, y, width, height: expected 4 numbers, got None"),
        ([{"image_id": 1, "bbox": [1, 2, 3, 4], "score": "0.9"}], "box 0: score: expected a number, got '0.9'"),
        ([{"image_id": 1, "bbox": [1, 2, 3, 4], "score": None}], "box 0: score: expected a number, got None"),
        ({"a": [[1, 2, 3]]}, "box 0 of 'a': box of x, y, width, height: expected 4 numbers"),
        ({"a": [10, 10, 200, 280]}, "box 0 of 'a': box of x, y, width, height: expected 4 numbers, got 10"),
        ({"a": 1}, "box 0 of 'a': box of x, y, width, height: expected 4 numbers, got 1"),
        ({"a": [None]}, "box 0 of 'a': box of"),
        ({"a": [[0.1, 0.1, 0.8, 0.8]]}, "all its boxes lie between 0 and 1; expected .* in pixels"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=f"boxes.json: {message}"):
        read(tmp_path, content)


DETECTION = {"image_id": 1, "category_id": 1, "bbox": [10, 10, 200, 280], "score": 0.9}
LABELS = {
    "images": [{"id": 77, "file_name": "frame_0001.jpg"}],
    "categories": [{"id": 3, "name": "person"}, {"id": 4, "name": "dog"}],
    "annotations": [
        {"image_id": 77, "category_id": 3, "bbox": [10, 10, 200, 280]},
        {"image_id": 77, "category_id": 4, "bbox": [1, 1, 2, 2]},
    ],
}


@pytest.mark.parametrize(
    "content",
    [
        [DETECTION],
        [DETECTION | {"category_id": 0}, DETECTION | {"category_id": 1, "bbox": [1, 1, 2, 2]}],
        [DETECTION | {"category_id": "1"}],
        [DETECTION | {"image_id": "1"}],
        [DETECTION | {"image_id": "0001"}],
        [DETECTION | {"image_id": "frame_0001"}],
        {"photos\\frame_0001.jpg": [[10, 10, 200, 280]]},
        {"{folder}/frame_0001.jpg": [[10, 10, 200, 280, 0.9]]},
        LABELS,
    ],
)
def test_a_picture_is_found_by_each_name_that_programs_give_it(tmp_path, content):
    text = json.dumps(content).replace("{folder}", str(tmp_path / "photos"))
    boxes = BoxSource(by_picture=read(tmp_path, text))
    assert boxes(tmp_path / "photos" / "frame_0001.jpg", (640, 480))[:, :4].tolist() == [[10, 10, 200, 280]]


def test_what_is_left_out_is_said(tmp_path, caplog):
    with caplog.at_level("INFO"):
        found = read(tmp_path, [DETECTION, DETECTION | {"category_id": 18}, DETECTION | {"score": 0.1}])
        assert not len(BoxSource(by_picture=found)(Path("b.jpg"), SIZE))
    assert "boxes left out: 1 of other categories, 1 with a score below 0.5" in caplog.text
    assert "b.jpg: the file of boxes has none of this picture: it has boxes of 1 others, such as 1" in caplog.text


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
