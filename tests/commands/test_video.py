"""Videos: steps that go on at the same time, what comes out, and what comes out when something goes wrong."""

import json
import logging
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_onnx

from paddlepose.commands import _pictures, _video
from paddlepose.core import results
from paddlepose.core.media import Video
from paddlepose.core.predictor import Predictor
from paddlepose.core.types import Poses

RATE, FRAMES, SIZE = 10.0, 24, (96, 64)
CARD = replace(tiny_onnx.CARD, kind="bottom_up")


class Everybody(Predictor):
    """A bottom-up predictor that finds the same two people in every frame, one of them of low score, and counts."""

    card = CARD
    flip_test = False

    def __init__(self):
        self.calls = []  # two threads may append, and none is lost

    def find(self, pictures, rows):
        assert [picture.shape for picture in pictures] == [(*SIZE[::-1], 3)] and rows == [None]
        self.calls.append(None)
        xy = np.array([[[10.0, 20], [30, 40], [20, 60]], [[70, 20], [80, 40], [75, 60]]])
        scores = np.array([[0.9] * 3, [0.3] * 3])
        return [(Poses(xy + 0.1 * len(self.calls), scores, np.array([0.9, 0.3])), None)]


def write_film(path, frames=FRAMES, size=SIZE, rate=RATE):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), rate, size)
    rng = np.random.default_rng(0)
    for _ in range(frames):
        writer.write(rng.integers(0, 255, (size[1], size[0], 3), np.uint8))
    writer.release()
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("films") / "film.webm")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def run(film, out, caplog):
    """Exit code of a run over the film with these options and this predictor."""
    caplog.set_level(logging.INFO)

    def start(*options, predictor=None, path=film):
        parser = _pictures_parser()
        arguments = parser.parse_args(["--img", str(path), "--out", str(out), *map(str, options)])
        return _pictures.run(predictor or Everybody(), arguments)

    return start


def _pictures_parser():
    import argparse

    parser = argparse.ArgumentParser()
    _pictures.add_arguments(parser)
    return parser


def lines(out, name="film"):
    return [json.loads(line) for line in (out / f"{name}_result.jsonl").read_text().splitlines()]


def test_people_have_ids_in_the_table_and_in_the_film(run, out, caplog):
    assert run() == 0
    table = lines(out)
    assert [line["frame"] for line in table] == list(range(FRAMES))
    assert all([person["id"] for person in line["people"]] == [1, 2] for line in table)
    assert list(table[0]["people"][0]) == ["id", "score", "keypoints"]
    assert Video(out / "film_result.webm").frame_count == FRAMES
    assert f"{FRAMES}/{FRAMES} frames, " in caplog.text


def test_poses_of_low_score_are_left_out(run, out):
    assert run("--visthre", 0.3) == 0
    assert all([person["score"] for person in line["people"]] == [0.9] for line in lines(out))


@pytest.mark.parametrize(
    ("most", "numbers"), [(5, range(0, 24, 2)), (3, [0, 4, 7, 10, 14, 17, 20]), (10, range(24)), (99, range(24))]
)
def test_fewer_frames_a_second_keep_their_times(run, out, most, numbers):
    predictor = Everybody()
    assert run("--inferenceFps", most, "--frames", predictor=predictor) == 0
    assert len(predictor.calls) == len(numbers)
    assert [(line["frame"], line["time"]) for line in lines(out)] == [(n, round(n / RATE, 4)) for n in numbers]
    film = Video(out / "film_result.webm")
    assert np.isclose(film.frame_count / film.frame_rate, FRAMES / RATE, atol=0.11)
    assert sorted(path.name for path in (out / "film_frames").iterdir()) == [f"{n:08}.jpg" for n in numbers]


def test_frames_take_the_place_of_earlier_ones_only(run, out):
    assert run("--frames") == 0
    (out / "film_frames" / "note.txt").touch()
    assert run("--frames", "--inferenceFps", 1) == 0
    names = sorted(path.name for path in (out / "film_frames").iterdir())
    assert names == ["00000000.jpg", "00000010.jpg", "00000020.jpg", "note.txt"]
    assert cv2.imread(str(out / "film_frames" / names[0])).shape == (*SIZE[::-1], 3)


def test_the_seeds_options(film, out, monkeypatch):
    arguments = _pictures_parser().parse_args(["--videoFile", str(film), "--outputDir", str(out), "--visthre", "0.3"])
    assert (arguments.img, arguments.out, arguments.visthre) == (str(film), out, 0.3)


def test_smoothing_moves_joints_behind_their_motion(run, out, monkeypatch):
    monkeypatch.setattr(_video, "FINDERS", 1)  # people move with the calls, which come in the frames' order
    assert run("--smooth") == 0
    last = lines(out)[-1]["people"][0]["keypoints"]["blue"]
    assert 10.1 < last[0] < 10 + 0.1 * FRAMES


def test_without_scipy_people_have_no_ids(run, out, caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    assert run("--smooth") == 0
    assert [list(person) for person in lines(out)[0]["people"]] == [["score", "keypoints"]] * 2
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1 and "pip install scipy" in warnings[0]


def test_a_broken_video_keeps_what_was_read(run, out, film, tmp_path, caplog):
    broken = tmp_path / "broken.webm"
    broken.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    assert run(path=broken) == 0
    read = len(lines(out, "broken"))
    assert 0 < read < FRAMES and Video(out / "broken_result.webm").frame_count == read
    assert f"broken: only {read} of {FRAMES} frames can be read" in caplog.text


def failing(error, after):
    """A function that raises `error` at a call after so many."""
    calls = iter(range(after))

    def fail(*_):
        if next(calls, None) is None:
            raise error

    return fail


def nothing_is_left(out):
    return not out.exists() or list(out.rglob("*")) == []


@pytest.mark.parametrize("where", ["reader", "network", "writer"])
@pytest.mark.parametrize("after", [0, 3, FRAMES - 1])
def test_an_error_anywhere_is_one_line_and_leaves_nothing(run, out, capsys, monkeypatch, where, after):
    fail, predictor = failing(OSError("no more"), after), Everybody()
    if where == "reader":
        read = Video.__iter__
        monkeypatch.setattr(Video, "__iter__", lambda self: (frame for frame in read(self) if fail() is None))
    elif where == "network":
        find = Everybody.find
        monkeypatch.setattr(Everybody, "find", lambda *given: fail() or find(*given))
    else:
        dumps = json.dumps
        monkeypatch.setattr(results.json, "dumps", lambda *values, **how: fail() or dumps(*values, **how))
    assert run("--frames", predictor=predictor) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "no more" in errors[0]
    assert nothing_is_left(out)
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_ctrl_c_leaves_nothing(run, out, monkeypatch):
    find, fail = Everybody.find, failing(KeyboardInterrupt(), 5)
    monkeypatch.setattr(Everybody, "find", lambda *given: fail() or find(*given))
    with pytest.raises(KeyboardInterrupt):
        run("--frames")
    assert nothing_is_left(out)
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_reading_finding_and_writing_overlap(film):
    """Three steps of 20 ms a frame, of which the longest is done for two frames at a time, take little more than 20."""

    class Slow(Video):
        def __iter__(self):
            for frame in Video.__iter__(self):
                time.sleep(0.02)
                yield frame

    start = time.perf_counter()
    _video.process(Slow(film), lambda _: time.sleep(0.04), lambda _: None, lambda _: time.sleep(0.02))
    assert time.perf_counter() - start < 0.02 * FRAMES * 2.2


def test_frames_keep_their_order(film):
    """Also where every other frame takes longer to be looked at than the next."""
    numbers, written = iter(range(FRAMES)), []

    def find(frame):
        number = next(numbers)
        time.sleep(0.01 * (number % 2 == 0))
        return frame

    def follow(frame):
        written.append(frame)
        return frame

    _video.process(Video(film), find, follow, lambda frame: None)
    assert [frame.number for frame in written] == list(range(FRAMES))
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(written, Video(film), strict=True))


def test_few_frames_are_held_at_a_time(film):
    """A slow writer holds the reader up: memory does not grow with the video."""
    counts = {"read": 0, "written": 0}
    most = 0

    class Counted(Video):
        def __iter__(self):
            for frame in Video.__iter__(self):
                counts["read"] += 1
                yield frame

    def write(*_):
        nonlocal most
        time.sleep(0.005)
        most = max(most, counts["read"] - counts["written"])
        counts["written"] += 1

    _video.process(Counted(film), lambda frame: frame, lambda frame: frame, write)
    assert counts == {"read": FRAMES, "written": FRAMES}
    assert most <= 2 * _video._WAITING + 3


@pytest.mark.parametrize("most", ["0", "-1", "nan"])
def test_a_wrong_rate_is_named(run, most):
    with pytest.raises(ValueError, match=r"--inferenceFps .*: expected a number above 0"):
        run("--inferenceFps", most)


@pytest.mark.parametrize("name", ["a.webm", "b.mp4"])
def test_the_drawn_video_and_its_truth(tmp_path, name):
    script = Path(__file__).parents[2] / "data" / "make_video.py"
    arguments = [sys.executable, script, tmp_path / name, "--frames", "6", "--size", "160x120"]
    subprocess.run(arguments, check=True, capture_output=True)
    frames = list(Video(tmp_path / name))
    table = [json.loads(line) for line in (tmp_path / name).with_suffix(".jsonl").read_text().splitlines()]
    assert len(frames) == len(table) == 6 and frames[0].picture.shape == (120, 160, 3)
    assert [[person["id"] for person in line["people"]] for line in table] == [[1, 2, 3]] * 6
