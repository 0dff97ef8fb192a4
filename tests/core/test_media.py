import cv2
import numpy as np
import pytest

from paddlepose.core.media import Video, is_video, sources


def write_video(path, frames=12, size=(64, 48), rate=10.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), rate, size)
    for brightness in np.linspace(0, 255, frames):
        writer.write(np.full((size[1], size[0], 3), brightness, np.uint8))
    writer.release()
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


def test_a_name_with_brackets_is_a_file_first(tmp_path):
    path = tmp_path / "a[1].jpg"
    path.touch()
    assert sources(str(path)) == [path]


def test_videos_are_told_by_suffix(tmp_path):
    assert is_video(tmp_path / "a.MP4") and not is_video(tmp_path / "a.jpg")


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
