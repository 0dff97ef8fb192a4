import json
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlepose.core.media import Frame, Video
from paddlepose.core.results import check_inputs_are_kept, result_stems, video_results, write_picture_results

GREY = np.full((48, 64, 3), 100, np.uint8)
PEOPLE = [{"score": 0.5, "keypoints": {"nose": [1.0, 2.0, 0.5]}}]


@pytest.mark.parametrize(
    ("paths", "stems"),
    [
        (["a/1.jpg"], ["1"]),
        (["a/1.jpg", "a/2.jpg"], ["1", "2"]),
        (["a/1.jpg", "b/1.jpg"], ["a/1", "b/1"]),
        (["x/1.jpg", "x/b/1.jpg"], ["1", "b/1"]),
        (["a/1.jpg", "a/1.png", "a/2.png"], ["1.jpg", "1.png", "2"]),
        (["a/1.x.jpg"], ["1.x"]),
    ],
)
def test_results_keep_apart_what_is_apart(paths, stems):
    assert result_stems([Path(path) for path in paths], Path("out")) == [Path("out") / stem for stem in stems]


def test_a_picture_and_its_numbers(tmp_path):
    write_picture_results(tmp_path / "deep" / "1.x", GREY, PEOPLE)
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["1.x_result.jpg", "1.x_result.json"]
    assert cv2.imread(str(tmp_path / "deep" / "1.x_result.jpg")).shape == GREY.shape
    assert json.loads((tmp_path / "deep" / "1.x_result.json").read_text()) == {"people": PEOPLE}


def test_a_picture_too_large_for_its_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="70000x1 pixels"):
        write_picture_results(tmp_path / "a", np.zeros((1, 70000, 3), np.uint8), [])


@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_a_video_comes_back(tmp_path, size):
    with video_results(tmp_path / "out" / "film", size, 10.0) as add:
        for number in range(5):
            picture = np.full((size[1], size[0], 3), 40 * number, np.uint8)
            add(Frame(picture, number, number / 10), PEOPLE[: number % 2])
    video = Video(tmp_path / "out" / "film_result.webm")
    frames = list(video)
    code = int(cv2.VideoCapture(str(video.path)).get(cv2.CAP_PROP_FOURCC))
    assert code.to_bytes(4, "little") == b"VP80"  # in a .webm file, which every browser plays
    assert (video.frame_size, video.frame_rate, len(frames)) == ((size[0] // 2 * 2, size[1] // 2 * 2), 10.0, 5)
    assert np.allclose([frame.picture.mean() for frame in frames], [0, 40, 80, 120, 160], atol=12)
    lines = [json.loads(line) for line in (tmp_path / "out" / "film_result.jsonl").read_text().splitlines()]
    assert lines[3] == {"frame": 3, "time": 0.3, "people": PEOPLE} and lines[2]["people"] == []


def film_of(path, times, rate, sizes=((64, 48),)):
    """Brightness of each frame of a film made of ever brighter frames with these times."""
    with video_results(path / "film", (64, 48), rate) as add:
        for i, time in enumerate(times):
            width, height = sizes[i % len(sizes)]
            add(Frame(np.full((height, width, 3), 50 * i, np.uint8), i, time), [])
    return [round(frame.picture.mean() / 50) for frame in Video(path / "film_result.webm")]


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ([0, 0.1, 0.2], [0, 1, 2]),
        ([0, 0.1, 0.4, 0.5], [0, 1, 1, 1, 2, 3]),  # each stays until the next one's time
        ([0.3, 0.5], [0, 0, 1]),  # the film begins with its first frame
        ([0, 0.1, 0.101, 0.2], [0, 2, 3]),  # the last of those that are too close
        ([0.099, 0.201, 0.299, 0.402], [0, 1, 2, 3]),
        ([0], [0]),
    ],
)
def test_each_frame_stays_until_the_time_of_the_next(tmp_path, times, shown):
    assert film_of(tmp_path, times, 10.0) == shown
    rows = [json.loads(line) for line in (tmp_path / "film_result.jsonl").read_text().splitlines()]
    assert [row["time"] for row in rows] == times


def test_a_gap_of_hours_is_a_minute_in_the_film(tmp_path, caplog):
    assert film_of(tmp_path, [0, 90000.0, 90001.0], 1.0) == [0] * 60 + [1, 2]
    assert "film: the film shows a minute of the 90000 s before frame 1" in caplog.text


def test_frames_of_another_size_are_shown_too(tmp_path):
    assert film_of(tmp_path, [0, 0.1, 0.2], 10.0, sizes=((64, 48), (32, 24))) == [0, 1, 2]


@pytest.mark.parametrize(
    ("inputs", "frames", "tables", "overwritten"),
    [
        (["out/a.jpg"], False, [], None),
        (
            ["out/a.jpg", "out/a_result.jpg"],
            False,
            [],
            "a.jpg: its result would overwrite the input .*a_result.jpg: choose",
        ),
        (["out/a.mp4", "out/a_frames/00000000.jpg"], False, [], None),
        (
            ["out/a.mp4", "out/a_frames/00000000.jpg"],
            True,
            [],
            "a.mp4: its result would overwrite the input .*a_frames: choose",
        ),
        (["out/a.mp4", "out/a_frames/note.jpg"], True, [], None),
        (["out/a.jpg"], False, ["out/table.csv"], None),
        (["out/a.jpg"], False, ["b.csv", "out/a.jpg"], "out/a.jpg: results would overwrite this input"),
    ],
)
def test_no_input_is_overwritten(inputs, frames, tables, overwritten):
    paths = [Path(path) for path in inputs]
    stems = [path.with_suffix("") for path in paths]
    check = partial(check_inputs_are_kept, paths, stems, frames=frames, tables=[Path(path) for path in tables])
    if overwritten is None:
        check()
        return
    with pytest.raises(ValueError, match=overwritten):
        check()


def test_a_video_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="stop"), video_results(tmp_path / "film", (64, 48), 10.0) as add:
        add(Frame(GREY, 0, 0.0), [])
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []
