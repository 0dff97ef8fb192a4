"""Bottom-up models in `deploy` and `infer`: their options, and finding the people for a top-down model."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_onnx

from paddlepose import runtime
from paddlepose.commands import deploy, main
from paddlepose.core.predict import BottomUp
from paddlepose.core.predictor import Predictor
from paddlepose.core.types import Poses

EVERYBODY = Path(__file__).parents[2] / "experiments" / "mini" / "everybody.yaml"
CORNERS = (8, 12), (20, 24), (40, 56)
CARD = replace(tiny_onnx.CARD, kind="bottom_up", model="everybody")
FOUND = Poses(
    np.array([[[4, 16 / 3], [24, 32], [44, 176 / 3]], [[1, 1], [2, 2], [3, 3]], [[0, 0], [20, 30], [40, 40]]]),
    np.array([[0.9, 0.9, 0.9], [0.4, 0.4, 0.4], [0.05, 0.05, 0.05]]),
    np.array([0.5, 0.4, 0.05]),
)


class Everybody(Predictor):
    """A bottom-up predictor that finds `FOUND` in every picture, and remembers how it was asked for."""

    card = CARD

    def __init__(self, flip_test=False, **options):
        self.flip_test = flip_test
        self.options = options

    def find(self, pictures, rows):
        return [(FOUND, None)] * len(pictures)

    boxes = BottomUp.boxes


@pytest.fixture
def made(monkeypatch):
    """The bottom-up predictors that were loaded; a file called `everybody.onnx` is one, others are what they are."""
    predictors, load = [], runtime.load

    def fake(path, **options):
        if path.name != "everybody.onnx":
            return load(path, **options)
        BottomUp(None, CARD, scales=options["scales"])  # refuses what the real one does
        predictors.append(Everybody(**options))
        return predictors[-1]

    monkeypatch.setattr(runtime, "load", fake)
    return predictors


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), tiny_onnx.squares(*CORNERS))
    return path


@pytest.fixture
def deployed(made, picture, tmp_path, caplog):
    """People that deploy finds with a model and these options."""
    caplog.set_level(logging.INFO)

    def run(model, *options):
        if model == "squares.onnx":
            tiny_onnx.write_model(tmp_path / model)
        arguments = ["--model", tmp_path / model, "--img", picture, "--out", tmp_path / "out", *options]
        assert deploy.main([str(argument) for argument in arguments]) == 0
        return json.loads((tmp_path / "out" / "a_result.json").read_text())["people"]

    return run


def test_a_bottom_up_model_finds_everybody(deployed):
    people = deployed("everybody.onnx")
    assert [person["score"] for person in people] == [0.5, 0.4]
    assert "id" not in people[0] and people[0]["keypoints"]["red"] == [44.0, 58.67, 0.9]
    assert len(deployed("everybody.onnx", "--visthre", "0.45")) == 1
    assert len(deployed("everybody.onnx", "--visthre", "0")) == 3


@pytest.mark.parametrize(
    ("options", "flips", "scales"),
    [
        ([], True, [1]),
        (["--flip-test"], True, [1]),
        (["--no-flip"], False, [1]),
        (["--scales", "0.5,1,2"], True, [0.5, 1, 2]),
    ],
)
def test_flip_test_and_scales(deployed, made, options, flips, scales):
    deployed("everybody.onnx", "--threads", "2", *options)
    assert made[0].flip_test is flips
    assert made[0].options == {"scales": scales, "device": "cpu", "threads": 2}


def test_a_detector_finds_the_people_of_a_top_down_model(deployed, made, tmp_path):
    people = deployed("squares.onnx", "--detector", tmp_path / "everybody.onnx", "--threads", "1", "--no-flip")
    # The box around the first person is the whole picture; the one around the second shows none of the squares.
    found = {name: [x, y] for name, (x, y) in zip(("blue", "green", "red"), CORNERS, strict=True)}
    assert len(people) == 2
    assert people[0]["score"] == 0.5 and people[1]["score"] < 0.1
    assert all(np.allclose(people[0]["keypoints"][name][:2], place, atol=0.01) for name, place in found.items())
    assert made[0].flip_test is False and made[0].options["threads"] == 1


def test_a_detector_looks_at_each_frame_of_a_video(made, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "a.webm"), cv2.VideoWriter.fourcc(*"VP80"), 10.0, tiny_onnx.SIZE)
    for _ in range(3):
        writer.write(tiny_onnx.squares(*CORNERS))
    writer.release()
    model = tiny_onnx.write_model(tmp_path / "squares.onnx")
    arguments = ["--model", model, "--img", tmp_path / "a.webm", "--detector", tmp_path / "everybody.onnx"]
    assert deploy.main([str(argument) for argument in [*arguments, "--out", tmp_path]]) == 0
    rows = [json.loads(line) for line in (tmp_path / "a_result.jsonl").read_text().splitlines()]
    assert [[person["id"] for person in row["people"]] for row in rows] == [[1, 2]] * 3


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("everybody.onnx", ["--scales", "a,b"], "--scales a,b: expected numbers such as 0.5,1,2"),
        (
            "everybody.onnx",
            ["--scales", "0.5,2"],
            "scales 0.5, 2.0: expected multiples of 0.5 up to 8, and 1 among them",
        ),
        ("everybody.onnx", ["--scales", "1,-2"], "scales 1.0, -2.0: expected multiples"),
        ("everybody.onnx", ["--scales", "1,nan"], "scales 1.0, nan: expected multiples"),
        ("everybody.onnx", ["--scales", "1,"], "--scales 1,: expected numbers"),
        ("everybody.onnx", ["--bbox", "1,2,3,4"], "--bbox is for top-down models: everybody finds the people itself"),
        ("everybody.onnx", ["--boxes", "b.json"], "--boxes is for top-down models: everybody finds"),
        ("everybody.onnx", ["--detector", "everybody.onnx"], "--detector is for top-down models: everybody finds"),
        ("squares.onnx", ["--scales", "0.5,1"], "--scales is for bottom-up models: squares is a top-down one"),
        ("squares.onnx", ["--no-flip"], "--no-flip is for bottom-up models: squares is a top-down one"),
        ("squares.onnx", ["--detector", "none.onnx"], "none.onnx: no such model"),
        (
            "squares.onnx",
            ["--detector", "{folder}/squares.onnx"],
            "squares.onnx: expected a detector or a bottom-up model",
        ),
        ("squares.onnx", ["--detector", "{folder}/a.png"], "a.png: not an ONNX file"),
        ("squares.onnx", ["--detector", "everybody.onnx", "--bbox", "1,2,3,4"], "--bbox and --detector: give one"),
    ],
)
def test_mistakes_are_one_line(made, picture, tmp_path, capsys, model, options, message):
    tiny_onnx.write_model(tmp_path / "squares.onnx")
    options = [option.format(folder=tmp_path) for option in options]
    arguments = ["deploy", "--model", tmp_path / model, "--img", picture, "--out", tmp_path / "out", *options]
    assert main([str(argument) for argument in arguments]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1 and errors[0].startswith("error: ") and message in errors[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "flips", "scales"),
    [([], True, [1, 0.5]), (["--no-flip"], False, [1, 0.5]), (["--scales", "1,2"], True, [2, 1])],
)
def test_infer_does_as_the_configuration_says(picture, tmp_path, monkeypatch, options, flips, scales):
    pytest.importorskip("paddle")
    from paddlepose.commands import infer
    from paddlepose.engine.job import Job

    def run(predictor, arguments):
        found.append((predictor.flip_test, predictor.scales, predictor.rescorer))
        return write(Everybody(), arguments)

    found, write = [], infer._pictures.run
    monkeypatch.setattr(Job, "rescorer", "rescorer")
    monkeypatch.setattr(Job, "trained_network", lambda *_: None)
    monkeypatch.setattr(infer, "as_network", lambda model: model)
    monkeypatch.setattr(infer._pictures, "run", run)
    settings = ["TEST.FLIP_TEST", "true", "TEST.SCALE_FACTOR", "1,0.5"]
    arguments = ["--cfg", EVERYBODY, "--img", picture, "--out", tmp_path / "out", *settings, *options]
    assert infer.main([str(argument) for argument in arguments]) == 0
    assert found == [(flips, scales, "rescorer")]
    assert len(json.loads((tmp_path / "out" / "a_result.json").read_text())["people"]) == 2
