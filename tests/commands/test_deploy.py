import json
import logging

import cv2
import numpy as np
import pytest
import tiny_onnx

from paddlepose.commands import deploy
from paddlepose.core.media import Video

CORNERS = (8, 12), (20, 24), (40, 56)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), tiny_onnx.squares(*CORNERS))
    return folder


@pytest.fixture
def deployed(tmp_path, caplog):
    """Exit code of deploy with these arguments; results are in tmp_path / "out"."""
    caplog.set_level(logging.INFO)
    model = tiny_onnx.write_model(tmp_path / "squares.onnx")
    return lambda *arguments: deploy.main(["--model", str(model), "--out", str(tmp_path / "out"), *map(str, arguments)])


def people(path):
    return json.loads(path.read_text())["people"]


@pytest.mark.parametrize("flag", ["--img", "--img-file"])
def test_a_picture(deployed, photos, tmp_path, caplog, flag):
    assert deployed(flag, photos / "a.png") == 0
    (person,) = people(tmp_path / "out" / "a_result.json")
    expected = {name: [x, y, 1.0] for name, (x, y) in zip(("blue", "green", "red"), CORNERS, strict=True)}
    assert person == {"score": 1.0, "box": [0, 0, 48, 64], "keypoints": expected}
    assert cv2.imread(str(tmp_path / "out" / "a_result.jpg")).shape == (64, 48, 3)
    assert f"=> {photos / 'a.png'}: 1 people, " in caplog.text


def test_boxes_are_people(deployed, photos, tmp_path):
    assert deployed("--img", photos / "a.png", "--bbox", "0,0,48,64", "--bbox=-12,0,48,64", "--flip-test") == 0
    assert len(people(tmp_path / "out" / "a_result.json")) == 2


def test_boxes_of_a_file(deployed, photos, tmp_path):
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"a.png": [{"bbox": [0, 0, 48, 64], "score": 0.3}]}))
    assert deployed("--img", photos, "--boxes", boxes, "--box-threshold", "0.2") == 0
    assert people(tmp_path / "out" / "a_result.json")[0]["score"] == 0.3
    assert deployed("--img", photos, "--boxes", boxes) == 0
    assert people(tmp_path / "out" / "a_result.json") == []


def test_a_broken_picture_does_not_stop_the_others(deployed, photos, tmp_path, caplog, capsys):
    (photos / "0.jpg").write_bytes(b"broken")
    (photos / "b.mp4").write_bytes(b"broken")
    assert deployed("--img", photos) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_result.jpg", "a_result.json"]
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2 and "0.jpg" in errors[0] and "b.mp4" in errors[1]
    assert "1 of 3 sources done" in caplog.text


def test_same_names_in_two_folders(deployed, photos, tmp_path):
    (photos / "deep").mkdir()
    cv2.imwrite(str(photos / "deep" / "a.png"), np.zeros((64, 48, 3), np.uint8))
    assert deployed("--img", photos / "**" / "*.png") == 0
    assert people(tmp_path / "out" / "a_result.json") != people(tmp_path / "out" / "deep" / "a_result.json")


def test_a_video(deployed, photos, tmp_path, caplog):
    film = photos / "film.webm"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"VP80"), 10.0, tiny_onnx.SIZE)
    for _ in range(7):
        writer.write(tiny_onnx.squares(*CORNERS))
    writer.release()
    assert deployed("--img", film) == 0
    video = Video(tmp_path / "out" / "film_result.webm")
    assert video.frame_size == tiny_onnx.SIZE and len(list(video)) == 7
    lines = [json.loads(line) for line in (tmp_path / "out" / "film_result.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(7)) and lines[5]["time"] == 0.5
    assert len(lines[6]["people"]) == 1
    assert "7/7 frames" in caplog.text


def test_the_models_own_size_is_used(deployed, photos, caplog):
    assert deployed("--img", photos, "--type", "ONNX", "--width", 48, "--height", 64) == 0
    assert "--width" not in caplog.text
    assert deployed("--img", photos, "--width", 656, "--height", 384) == 0
    unused = "--width 656 --height 384 are not used: the network takes the size at which it was trained, 48 x 64"
    assert unused in caplog.text


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--img", "none.jpg"], FileNotFoundError, "none.jpg"),
        (["--img", "{photos}", "--bbox", "1,2,3"], ValueError, "--bbox 1,2,3: expected"),
        (["--img", "{photos}", "--boxes", "none.json"], FileNotFoundError, "none.json"),
        (["--img", "{photos}", "--boxes", "b.json", "--bbox", "1,2,3,4"], ValueError, "give one of them"),
        (["--img", "{photos}", "--threads", "0"], ValueError, "threads: expected 1 to 1024"),
        (["--img", "{photos}", "--model", "none.onnx"], FileNotFoundError, "none.onnx"),
    ],
)
def test_mistakes_are_named(deployed, photos, arguments, error, message):
    with pytest.raises(error, match=message):
        deployed(*(argument.format(photos=photos) for argument in arguments))


@pytest.mark.parametrize(
    "arguments",
    [[], ["--img", "a", "--type", "OpenVINO"], ["--img", "a", "--threads", "two"], ["--img", "a", "--device", "x"]],
)
def test_unknown_choices_end_with_the_usage(deployed, arguments):
    with pytest.raises(SystemExit):
        deployed(*arguments)
