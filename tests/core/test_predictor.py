"""A predictor on whatever shows people, and what it says of what does not."""

import csv
import json
import logging
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_onnx

from paddlepose.core.predict import TopDown
from paddlepose.core.predictor import Predictor
from paddlepose.core.result import COLUMNS, Result
from paddlepose.core.types import Poses

CORNERS = (8, 12), (20, 24), (40, 56)
WHOLE = [0, 0, *tiny_onnx.SIZE]
PICTURE = tiny_onnx.squares(*CORNERS)


def squares(images):
    """The network of `tiny_onnx`: maps of each colour's mean over squares of 4 x 4 pixels."""
    calls.append(len(images))
    return [images.reshape(len(images), 3, 16, 4, 12, 4).mean((3, 5))]


calls: list[int] = []


@pytest.fixture
def predictor():
    calls.clear()
    return TopDown(squares, tiny_onnx.CARD)


class Everybody(Predictor):
    """A bottom-up predictor that finds one person in each picture, at its middle."""

    card = replace(tiny_onnx.CARD, kind="bottom_up", model="everybody")
    together = 2

    def find(self, pictures, rows):
        calls.append(len(pictures))
        middles = [np.array(picture.shape[1::-1]) / 2 for picture in pictures]
        return [(Poses(np.tile(m, (1, 3, 1)), np.ones((1, 3)), np.ones(1)), None) for m in middles]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(folder / name), PICTURE)
    return folder


def write_video(path, frames=4):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, tiny_onnx.SIZE)
    for _ in range(frames):
        writer.write(PICTURE)
    writer.release()
    return path


def is_right(result):
    assert isinstance(result, Result) and result.size == tiny_onnx.SIZE
    np.testing.assert_allclose(result.xy[0], CORNERS, atol=1.01)  # of a video whose JPEG blurs
    return True


def test_an_array(predictor):
    result = predictor(PICTURE, [WHOLE])
    assert is_right(result) and result.path is None and result.boxes.tolist() == [WHOLE]
    assert result[0]["red"][:2] == pytest.approx(CORNERS[2]) and result.draw().shape == PICTURE.shape


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file(predictor, photos, kind):
    result = predictor(kind(photos / "a.png"), WHOLE)
    assert is_right(result) and result.path == photos / "a.png"


def test_a_picture_of_pil(predictor):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    assert is_right(predictor(image.fromarray(PICTURE[..., ::-1]), [WHOLE]))
    assert is_right(predictor(image.fromarray(PICTURE[..., ::-1]).convert("RGBA"), [WHOLE]))


def test_a_list_goes_through_the_network_together(predictor, photos):
    two = [[0, 0, 48, 64], [0, 0, 24, 32]]
    results = predictor([PICTURE, photos / "a.png", str(photos / "b.png")], [[WHOLE], two, []], [[0.5], [1, 0.3], []])
    assert calls == [3]
    assert [len(result) for result in results] == [1, 2, 0] and is_right(results[0]) and is_right(results[1])
    assert [result.path for result in results] == [None, photos / "a.png", photos / "b.png"]
    assert results[0].score[0] == pytest.approx(0.5) and results[1].score[1] < 0.31
    singly = predictor(PICTURE, two)
    np.testing.assert_allclose(results[1].xy, singly.xy)
    assert results[1].picture is None and (results[1].draw() == results[1].draw()).all()


@pytest.mark.parametrize("source", ["{}", "{}/*.png"])
def test_a_folder_and_a_pattern(predictor, photos, source):
    results = predictor(source.format(photos))
    assert [result.path.name for result in results] == ["a.png", "b.png", "c.png"] and all(map(is_right, results))
    assert calls == [3]


def test_videos_of_a_folder_are_left_out_with_a_word(predictor, photos, caplog):
    write_video(photos / "film.avi")
    assert len(predictor(photos)) == 3
    assert "1 videos left out: give each by itself" in caplog.text


def test_a_long_list_goes_in_turns():
    calls.clear()
    assert len(Everybody()([PICTURE] * 5)) == 5 and calls == [2, 2, 1]


def test_a_video_is_read_frame_by_frame(predictor, tmp_path):
    pytest.importorskip("scipy", reason="people get ids where scipy is installed")
    results = predictor(write_video(tmp_path / "film.avi"), [WHOLE])
    assert not isinstance(results, list) and calls == []
    first = next(results)
    assert is_right(first) and calls == [1]
    assert (first.frame, first.time, first.path, first.ids.tolist()) == (0, 0, tmp_path / "film.avi", [1])
    rest = list(results)
    assert [result.frame for result in rest] == [1, 2, 3] and rest[-1].time == pytest.approx(0.3, abs=0.001)
    assert rest[-1][0].id == 1 and rest[-1].draw().shape == PICTURE.shape


@pytest.fixture(params=["picture", "list", "folder", "video"])
def results(request, predictor, photos, tmp_path):
    """What a predictor gives for each form of source, as a list; and the files that are named in it."""
    if request.param == "picture":
        return [predictor(photos / "a.png", [WHOLE])], [photos / "a.png"]
    if request.param == "list":
        return predictor([photos / "b.png", PICTURE], [[WHOLE]] * 2), [photos / "b.png", None]
    if request.param == "folder":
        return predictor(photos, [[WHOLE]] * 3), [photos / f"{letter}.png" for letter in "abc"]
    pytest.importorskip("scipy", reason="people get ids where scipy is installed")
    film = write_video(tmp_path / "film.avi")
    return list(predictor(film, [WHOLE])), [film] * 4


class TestEachForm:
    def test_shapes_and_names(self, results):
        found, paths = results
        assert [result.path for result in found] == paths and all(map(is_right, found))
        for result in found:
            shapes = [result.xy.shape, result.scores.shape, result.score.shape, result.boxes.shape]
            assert shapes == [(1, 3, 2), (1, 3), (1,), (1, 4)] and len(result) == len(list(result)) == 1
            assert result.names == ("blue", "green", "red") and result[0].names == result.names
            assert result[0]["green"] == (*result.xy[0, 1], result.scores[0, 1])
            assert result.draw().shape == (*result.size[::-1], 3)

    def test_csv(self, results, tmp_path):
        found, paths = results
        for result, path in zip(found, paths, strict=True):
            result.save(tmp_path / "one.csv")
            (head, *rows) = csv.DictReader((tmp_path / "one.csv").read_text().splitlines())
            assert [row["joint"] for row in (head, *rows)] == ["blue", "green", "red"]
            assert head["file"] == ("" if path is None else str(path)) and head["id"] == "1"
            assert head["frame"] == ("" if result.frame is None else str(result.frame))
            assert float(head["x"]) == pytest.approx(CORNERS[0][0], abs=1.01)

    def test_pandas(self, results):
        pandas = pytest.importorskip("pandas", reason="pandas is not installed")
        found, paths = results
        table = pandas.concat([result.to_pandas() for result in found])
        assert list(table) == list(COLUMNS) and len(table) == 3 * len(paths)
        assert table.groupby("joint").x.mean()["red"] == pytest.approx(CORNERS[2][0], abs=1.01)

    def test_supervision(self, results):
        supervision = pytest.importorskip("supervision", reason="supervision is not installed")
        for result in results[0]:
            points = result.to_supervision()
            assert isinstance(points, supervision.KeyPoints) and points.xy.shape == (1, 3, 2)
            np.testing.assert_allclose(points.xy, result.xy, rtol=1e-6)
            np.testing.assert_allclose(points.keypoint_confidence, result.scores, rtol=1e-6)

    def test_json(self, results):
        for result in results[0]:
            (person,) = json.loads(result.to_json())["people"]
            assert list(person["keypoints"]) == ["blue", "green", "red"] and person["box"] == WHOLE
            assert person.get("id", 1) == 1


def test_a_bottom_up_predictor_takes_the_same(photos, tmp_path):
    find = Everybody()
    assert find(PICTURE)[0]["red"] == (24, 32, 1)
    assert [len(result) for result in find(photos)] == [1, 1, 1]
    assert [result.frame for result in find(write_video(tmp_path / "film.avi"))] == [0, 1, 2, 3]


def test_scores_of_boxes_count(predictor):
    assert predictor(PICTURE, [WHOLE, WHOLE], [0.5, 0.25]).score == pytest.approx([0.5, 0.25])


def test_a_whole_picture_is_taken_with_a_warning_once(predictor, caplog):
    results = predictor([PICTURE, PICTURE])
    assert all(map(is_right, results)) and results[0].boxes.tolist() == [WHOLE]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "neither boxes nor a detector" in record.message and "whole" in record.message


def test_a_detector_finds_the_boxes(caplog):
    def detector(picture):
        return np.array([[*WHOLE, 0.5], [0, 0, 10, 10, 0.25]])

    result = TopDown(squares, tiny_onnx.CARD, detector=detector)(PICTURE)
    assert len(result) == 2 and is_right(result) and result.boxes[1].tolist() == [0, 0, 10, 10]
    assert result.score[0] == pytest.approx(0.5) and not caplog.records
    assert len(TopDown(squares, tiny_onnx.CARD, detector=detector)(PICTURE, [WHOLE])) == 1


class Odd:
    """Neither a picture nor the name of one."""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "a picture: expected an array, a file's name, an address or a picture of PIL, got NoneType"),
        (Odd(), "got Odd"),
        ({"a": 1}, "got dict"),
        (np.zeros((4, 4)), "expected an array of uint8 and shape (H, W, 3), .* got float64 and (4, 4)"),
        (PICTURE[..., 0], "got uint8 and (64, 48)"),
        (PICTURE / 255, "got float64 and (64, 48, 3)"),
        (PICTURE.transpose(2, 0, 1), "got uint8 and (3, 64, 48)"),
        (PICTURE[None], "got uint8 and (1, 64, 48, 3)"),
        (PICTURE[:0], "got uint8 and (0, 48, 3)"),
        ([PICTURE, None], "got NoneType"),
        ([Path("film.mp4")], "film.mp4: expected a picture, not a video"),
        (["rtsp://host/door"], "rtsp://host/door: expected a picture, not a stream"),
        (["{}/empty"], "empty: expected a picture, not a folder: give folders by themselves"),
        ([[PICTURE]], "picture 0 of the list: a picture: expected an array, .* got list"),
        (b"a.jpg", "got bytes"),
        (1.5, "got float"),
        ((PICTURE for _ in range(2)), "got generator"),
        (np.dstack([PICTURE, PICTURE[..., :1]]), "got uint8 and (64, 48, 4)"),
        ("{}/none.jpg", "none.jpg: no picture or video found"),
        (["{}/none.jpg"], "none.jpg: no such picture"),
        ("{}/notes.txt", "notes.txt: not a picture"),
        ("{}/broken.mp4", "broken.mp4: not a video"),
        ("{}/empty", "empty: no picture or video found"),
    ],
)
def test_wrong_sources_are_one_line(predictor, photos, source, message):
    (photos / "empty").mkdir()
    (photos / "notes.txt").write_text("a")
    (photos / "broken.mp4").write_text("a")
    if isinstance(source, str):
        source = source.format(photos)
    elif isinstance(source, list):
        source = [item.format(photos) if isinstance(item, str) else item for item in source]
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        predictor(source)
    assert re.search(re.escape(message).replace(r"\.\*", ".*"), str(error.value)) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("boxes", "scores", "message"),
    [
        ([1, 2, 3], None, "boxes: expected shape (N, 4), x, y, width, height of each, got (3,)"),
        ([[1, 2, 3, 4, 0.5]], None, "got (1, 5)"),
        ([[[0, 0, 9, 9]]], None, "got (1, 1, 4)"),
        (5, None, "got ()"),
        ("0,0,9,9", None, "boxes: expected numbers x, y, width, height, one row a person, got '0,0,9,9'"),
        (np.array([["0", "0", "9", "9"]] * 2), None, "boxes: expected numbers"),
        ([{"bbox": [0, 0, 9, 9]}], None, "boxes: expected numbers"),
        ({"a.png": [[0, 0, 9, 9]]}, None, "boxes: expected numbers"),
        ([[0, 0, 9, 9], [1, 2]], None, "boxes: expected numbers"),
        ([[0, 0, None, 9]], None, "boxes: expected numbers"),
        ([[True, False, True, True]], None, "boxes: expected numbers"),
        ([[0, 0, 1j, 9]], None, "boxes: expected numbers"),
        ([WHOLE, [0, 0, float("nan"), 9]], None, "show part of the 48x64 pixels, got [0.0, 0.0, nan, 9.0] in row 1"),
        ([[0, 0, 0, 9]], None, "in row 0"),
        ([[9, 9, -5, 9]], None, "in row 0"),
        ([[50, 0, 9, 9]], None, "in row 0"),
        ([[-9, 0, 9, 9]], None, "in row 0"),
        ([WHOLE], [1, 2], "scores: expected 1 finite numbers, one a box, got [1.0, 2.0]"),
        ([WHOLE], [float("inf")], "scores: expected 1 finite numbers"),
        ([WHOLE], ["high"], "scores: expected a number for each box, got ['high']"),
        (None, [0.5], "scores: they are those of boxes, and there are none"),
    ],
)
@pytest.mark.parametrize("form", ["array", "file", "video"])
def test_wrong_boxes_are_one_line(predictor, photos, form, boxes, scores, message):
    source = {"array": PICTURE, "file": str(photos / "a.png"), "video": photos / "film.avi"}[form]
    if form == "video":
        write_video(source, frames=1)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        predictor(source, boxes, scores)
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_a_wrong_entry_of_a_list_is_named(predictor):
    with pytest.raises(ValueError, match=r"^picture 1 of the list: boxes: expected shape"):
        predictor([PICTURE] * 3, [[WHOLE], [1], [WHOLE]])


@pytest.mark.parametrize("boxes", [[WHOLE], [[WHOLE]] * 3, 7, "ab", {"a": WHOLE, "b": WHOLE}])
def test_boxes_of_a_list_are_one_entry_a_picture(predictor, boxes):
    with pytest.raises(ValueError, match="boxes: expected those of each of the 2 pictures, one after another, got"):
        predictor([PICTURE, PICTURE], boxes)


@pytest.mark.parametrize("boxes", [[], [[]], np.zeros((0, 4)), np.zeros((0, 4), int), ()])
def test_nobody_is_nobody(predictor, boxes):
    result = predictor(PICTURE, boxes)
    assert len(result) == 0 and result.xy.shape == (0, 3, 2) and result.boxes.shape == (0, 4) and calls == []


@pytest.mark.parametrize("dtype", [int, np.float32, np.uint8, np.int64])
def test_boxes_of_any_kind_of_number(predictor, dtype):
    assert is_right(predictor(PICTURE, np.array([WHOLE], dtype)))
