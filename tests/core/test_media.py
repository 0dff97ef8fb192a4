import logging
from fractions import Fraction

import cv2
import numpy as np
import pytest

from paddlepose.core import media
from paddlepose.core.image import PICTURE_SUFFIXES, read_picture
from paddlepose.core.media import Pace, Video, is_video, sources

# Milliseconds: thirty frames a second, then five.
UNEVEN = [33 * i for i in range(10)] + [330 + 200 * i for i in range(10)]


def write_video(path, frames=12, size=(64, 48), rate=10.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), rate, size)
    for brightness in np.linspace(0, 255, frames):
        writer.write(np.full((size[1], size[0], 3), brightness, np.uint8))
    writer.release()
    return path


def write_timed(path, times, codec="mpeg4"):
    """A video whose frames have these times in milliseconds; OpenCV can write constant rates only."""
    av = pytest.importorskip("av", reason="needs PyAV to write a variable rate")
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25, width=64, height=48, pix_fmt="yuv420p")
        stream.codec_context.time_base = Fraction(1, 1000)
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), time % 256, np.uint8), format="bgr24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


@pytest.fixture
def folder(tmp_path):
    for name in ("b.JPG", "a.png", "c.mp4", "notes.txt", ".hidden.jpg", "deep/d.jpg", "deep/e.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.png", ["a.png"]),
        ("notes.txt", ["notes.txt"]),
        ("", ["a.png", "b.JPG", "c.mp4"]),
        ("*", ["a.png", "b.JPG", "c.mp4"]),
        ("*.png", ["a.png"]),
        ("*/*", ["deep/d.jpg"]),
        ("**/*.[jJ]*", ["b.JPG", "deep/d.jpg"]),
    ],
)
def test_a_file_a_folder_and_a_pattern(folder, monkeypatch, pattern, expected):
    assert sources(str(folder / pattern)) == [folder / name for name in expected]
    monkeypatch.chdir(folder)
    assert [str(path) for path in sources(pattern)] == expected


@pytest.mark.parametrize("pattern", ["none.jpg", "*.gif", "no/where/*"])
def test_nothing_found_names_the_pattern_and_what_is_accepted(folder, pattern):
    with pytest.raises(FileNotFoundError) as error:
        sources(str(folder / pattern))
    assert pattern in str(error.value) and ".jpg" in str(error.value) and ".mp4" in str(error.value)


def test_subfolders_are_looked_into_if_asked(folder):
    assert sources(str(folder), recursive=True) == [folder / name for name in ("a.png", "b.JPG", "c.mp4", "deep/d.jpg")]
    with pytest.raises(FileNotFoundError, match="--recursive"):
        sources(str(folder.parent))


def test_hidden_folders_and_drawn_frames_are_no_sources(folder):
    for name in (".cache/e.jpg", "c_frames/00000000.jpg", "c_result.jsonl", "d_frames/00000000.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    found = [str(path.relative_to(folder)) for path in sources(str(folder), recursive=True)]
    assert found == ["a.png", "b.JPG", "c.mp4", "d_frames/00000000.jpg", "deep/d.jpg"]


def test_what_is_skipped_is_counted_and_named(folder, caplog):
    caplog.set_level(logging.INFO)
    (folder / "a_result.jpg").touch()
    (folder / "a_result.json").touch()
    sources(str(folder))
    (line,) = caplog.messages
    assert f"{folder}: 3 files skipped" in line and line.endswith(": a_result.jpg, a_result.json, notes.txt")
    caplog.clear()
    sources(str(folder / "*.png"))
    assert not caplog.messages


def test_a_long_list_of_skipped_files_is_cut(folder, caplog):
    caplog.set_level(logging.INFO)
    for i in range(20):
        (folder / f"{i:02}.txt").touch()
    sources(str(folder))
    assert "21 files skipped" in caplog.text and caplog.messages[0].endswith("03.txt, 04.txt, ...")


@pytest.mark.parametrize("suffix", [".jfif", ".avif", ".jp2", ".ppm", ".JPG"])
def test_pictures_are_told_by_suffix(tmp_path, suffix):
    (tmp_path / f"a{suffix}").touch()
    assert sources(str(tmp_path)) == [tmp_path / f"a{suffix}"]
    assert not is_video(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES))
def test_pictures_of_each_suffix_can_be_read(tmp_path, suffix):
    """`.jfif` is JPEG by another name; OpenCV's wheels have `.jp2`, and newer ones `.avif`."""
    kind = ".jpg" if suffix == ".jfif" else suffix
    if not cv2.haveImageWriter(f"a{kind}"):
        pytest.skip(f"OpenCV {cv2.__version__} has no {kind}")
    picture = np.full((32, 48, 1 if suffix in (".pgm", ".pbm") else 3), 255, np.uint8)
    (tmp_path / f"a{suffix}").write_bytes(cv2.imencode(kind, picture)[1].tobytes())
    assert read_picture(tmp_path / f"a{suffix}").shape == (32, 48, 3)


def test_a_name_with_brackets_is_a_file_first(tmp_path):
    path = tmp_path / "a[1].jpg"
    path.touch()
    assert sources(str(path)) == [path]


@pytest.mark.parametrize("name", ["a.MP4", "a.flv", "a.wmv", "a.3gp", "a.ts", "a.mov", "a.gif"])
def test_videos_are_told_by_suffix(tmp_path, name):
    assert is_video(tmp_path / name)


def test_frames_come_one_by_one(tmp_path):
    video = Video(write_video(tmp_path / "a.webm"))
    assert (video.frame_size, video.frame_rate, video.frame_count) == ((64, 48), 10.0, 12)
    brightness = [frame.picture.mean() for frame in video]
    assert len(brightness) == 12
    assert np.allclose(brightness, np.linspace(0, 255, 12), atol=12)


def test_a_video_that_breaks_off_ends_early_with_a_warning(tmp_path, caplog):
    whole = write_video(tmp_path / "a.webm", frames=60).read_bytes()
    broken = tmp_path / "broken.webm"
    broken.write_bytes(whole[: len(whole) // 2])
    read = sum(1 for _ in Video(broken))
    assert 0 < read < 60
    assert f"broken.webm: broken: only {read} of 60 frames" in caplog.text


@pytest.mark.parametrize("content", [b"", b"no video", bytes(1000)])
def test_no_video_is_refused(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.mp4: not a video"):
        Video(path)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mpeg4"), ("a.mkv", "mpeg4"), ("a.webm", "libvpx")])
def test_frames_of_a_variable_rate_have_their_own_times(tmp_path, caplog, name, codec):
    video = Video(write_timed(tmp_path / name, UNEVEN, codec))
    frames = list(video)
    assert [frame.number for frame in frames] == list(range(20))
    np.testing.assert_allclose([frame.time for frame in frames], np.array(UNEVEN) / 1000, atol=0.001)
    assert video.frame_count == 20 and video.frame_rate == pytest.approx(1 / 0.033, abs=0.01)
    assert not caplog.messages  # it is not broken


def test_frames_are_chosen_by_their_times(tmp_path):
    """Ten a second: of the first third of a second every third frame, and all that come later."""
    path = write_timed(tmp_path / "a.mp4", UNEVEN)
    video = Video(path, 10)
    numbers = [frame.number for frame in video]
    assert numbers == [0, 3, 7, *range(10, 20)]
    assert video.frame_count == len(numbers) and video.frame_rate == 10
    assert [frame.number for frame in Video(path, 2)] == [0, 11, 14, 16, 19]


def test_each_video_of_the_reports(reported, caplog):
    """Times are the container's own within a millisecond, whatever its kind, and no whole video is called broken."""
    av = pytest.importorskip("av", reason="needs PyAV, which has the container's time stamps")
    paths = [path for path in sorted(reported("videos").iterdir()) if is_video(path)]
    whole = [path for path in paths if path.name not in ("cut.mp4", "empty.mp4", "text.mp4")]
    assert len(whole) == len(paths) - 3 == 14
    for path in whole:
        with av.open(str(path)) as file:
            times = [frame.time for frame in file.decode(video=0)]
        video = Video(path)
        frames = list(video)
        np.testing.assert_allclose([frame.time for frame in frames], times, atol=0.001, err_msg=str(path))
        assert video.frame_count == len(times)
        assert all(frame.picture.shape[1::-1] == video.frame_size for frame in frames)
    assert Video(reported("videos") / "turned.mp4").frame_size == (308, 232)
    assert not caplog.messages


@pytest.mark.parametrize(
    ("most", "times", "taken"),
    [
        (None, [0, 0.001, 0.002], [0, 1, 2]),
        (10, [0, 0.04, 0.08, 0.12, 0.16, 0.2], [0, 3, 5]),
        (10, [0, 0.033, 0.067, 0.1, 0.133], [0, 3]),
        (30, [0, 0.033, 0.067, 0.1], [0, 1, 2, 3]),  # rounded to milliseconds
        (10, [0, 5.05, 5.06, 5.1], [0, 1, 3]),  # nothing is made up for
        (99, [0, 0.1, 0.2], [0, 1, 2]),
        (0.5, [0, 1, 2, 3, 4], [0, 2, 4]),
    ],
)
def test_the_pace(most, times, taken):
    pace = Pace(most)
    assert [i for i, time in enumerate(times) if pace.takes(time)] == taken


class Capture:
    """Stands in for OpenCV's: frames with these time stamps in milliseconds."""

    def __init__(self, stamps, count=None, rate=25.0):
        self.stamps, self.place = stamps, -1
        self.stated = {cv2.CAP_PROP_FPS: rate, cv2.CAP_PROP_FRAME_COUNT: count or len(stamps)}

    def isOpened(self):
        return True

    def grab(self):
        self.place += 1
        return self.place < len(self.stamps)

    def get(self, key):
        return self.stamps[self.place] if key == cv2.CAP_PROP_POS_MSEC else self.stated.get(key, 64.0)

    def retrieve(self):
        return True, np.zeros((64, 64, 3), np.uint8)


@pytest.mark.parametrize(
    ("stamps", "times", "rate"),
    [
        ([0, 40, 80, 120], [0, 0.04, 0.08, 0.12], 25),
        ([0, 0, 0, 0], [0, 0.04, 0.08, 0.12], 25),  # without any
        ([0, 40, 40, 120], [0, 0.04, 0.08, 0.12], 25),  # one twice
        ([0, 40, 41, 42, 160], [0, 0.04, 0.041, 0.042, 0.16], 25),  # too close
        ([1000, 0, 40], [1, 1.04, 1.08], 25),  # back in time
    ],
)
def test_damaged_time_stamps_go_on(tmp_path, monkeypatch, stamps, times, rate):
    monkeypatch.setattr(media.cv2, "VideoCapture", lambda *_: Capture(stamps))
    video = Video(tmp_path / "a.mp4")
    np.testing.assert_allclose([frame.time for frame in video], times)
    assert video.frame_rate == pytest.approx(rate, abs=0.6)


@pytest.mark.parametrize(
    ("count", "rate", "is_broken"),
    [
        (20, 25.0, False),
        (54, 25.0, False),  # by a header that knows the duration, and a usual rate
        (40, 9.2, True),  # twice as long
        (19, 25.0, False),
    ],
)
def test_a_video_is_broken_if_its_end_is_missing(tmp_path, monkeypatch, caplog, count, rate, is_broken):
    monkeypatch.setattr(media.cv2, "VideoCapture", lambda *_: Capture(UNEVEN, count, rate))
    assert len(list(Video(tmp_path / "a.mp4"))) == 20
    assert bool(caplog.messages) == is_broken
