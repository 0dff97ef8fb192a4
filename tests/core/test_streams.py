"""Pictures and streams on a web server of the test's own, which can break off."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_onnx

from paddlepose.core import streams
from paddlepose.core.media import Video
from paddlepose.core.streams import Address, address, fetch

PICTURE = tiny_onnx.squares((8, 12), (20, 24), (40, 56))
JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()
PNG = cv2.imencode(".png", PICTURE)[1].tobytes()
PARTS = 10  # frames of the camera before it breaks off


FILES = {
    "/a/photo.jpg": ("image/jpeg", JPEG),
    "/picture?id=3": ("image/png", PNG),
    "/bucket/photo.png": ("application/octet-stream", PNG),
    "/cut.jpg": ("image/jpeg", JPEG[:-9]),
    "/text.jpg": ("image/jpeg", b"no picture"),
    "/page": ("text/html", b"<html>"),
}


class Server(BaseHTTPRequestHandler):
    """`/door` is a camera that breaks off after some frames; other paths are in `FILES`."""

    connections = 0

    def do_GET(self):
        if self.path == "/moved.jpg":
            self.send_response(302)
            self.send_header("Location", "/a/photo.jpg")
            self.end_headers()
        elif self.path == "/door":
            self.camera()
        elif self.path in FILES:
            kind, content = FILES[self.path]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        else:
            self.send_error(404)

    def camera(self):
        type(self).connections += 1
        if type(self).connections > 3:
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=part")
        self.end_headers()
        for _ in range(PARTS):
            head = f"--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(JPEG)}\r\n\r\n"
            self.wfile.write(head.encode() + JPEG + b"\r\n")

    def log_message(self, *_):
        """Say nothing."""


class Quiet(ThreadingHTTPServer):
    """A server that says nothing when somebody hangs up."""

    def handle_error(self, request, client_address):
        """Say nothing."""


@pytest.fixture(scope="module")
def server():
    with Quiet(("127.0.0.1", 0), Server) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1")
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(streams, "_WAITS", (0.01, 0.01))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", True),
        ("rtsp://host/door", True),
        ("https://host/a.jpg", True),
        ("a.jpg", False),
        ("12.jpg", False),
        ("a/0", False),
        ("-1", False),
    ],
)
def test_addresses_and_cameras(tmp_path, monkeypatch, text, expected):
    monkeypatch.chdir(tmp_path)
    assert (address(text) is not None) == expected
    Path("0").touch()
    assert address("0") is None  # there is a file of that name


def test_a_malformed_address_is_named():
    with pytest.raises(ValueError, match=r"^http://\[/a.jpg: not an address: Invalid IPv6"):
        address("http://[/a.jpg")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("0", "camera0"),
        ("https://host.org/x/photo.jpg", "host_org/x/photo.jpg"),
        ("rtsp://name:secret@cam:554/live/1", "cam_554/live/1"),
        ("http://cam", "cam"),
        ("http://host/../../etc/a.jpg", "host/etc/a.jpg"),
        ("http://host/picture?id=3&x=../a", "host/id_3_x_a_picture"),
    ],
)
def test_results_of_an_address_have_a_name(url, place):
    assert Address(url).place == Path(place)
    assert "secret" not in str(Address(url)) and str(Address(url)) == url.replace("name:secret@", "")


@pytest.mark.parametrize("name", ["/a/photo.jpg", "/picture?id=3", "/bucket/photo.png", "/moved.jpg"])
def test_pictures_are_fetched(server, name):
    assert np.abs(fetch(Address(server + name)).astype(int) - PICTURE).mean() < 10


@pytest.mark.parametrize("name", ["/page", "/door"])
def test_what_is_no_picture_is_not_fetched(server, name):
    assert fetch(Address(server + name)) is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("{}/none.jpg", "/none.jpg: cannot be fetched: Not Found"),
        ("{}/cut.jpg", "/cut.jpg: the JPEG file is cut off"),
        ("{}/text.jpg", "/text.jpg: not a picture that OpenCV can read"),
        ("http://127.0.0.1:1/a.jpg", "cannot be fetched: .*refused"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(server, url, message):
    with pytest.raises(ValueError, match=message) as error:
        fetch(Address(url.format(server)))
    assert "\n" not in str(error.value) and "/tmp" not in str(error.value)


def test_a_picture_too_large_is_refused(server, monkeypatch):
    monkeypatch.setattr(streams, "_MOST_BYTES", 100)
    with pytest.raises(ValueError, match=r"photo.jpg: larger than"):
        fetch(Address(server + "/a/photo.jpg"))


def test_a_stream_that_breaks_off_is_opened_again(server, quick, caplog):
    Server.connections = 0
    video = Video(Address(server + "/door"))
    assert video.live and video.frame_size == tiny_onnx.SIZE and video.frame_count == 0
    frames = list(video)
    assert len(frames) > PARTS and Server.connections > 2
    times = [frame.time for frame in frames]
    assert times == sorted(times) and [frame.number for frame in frames] == list(range(len(frames)))
    assert all(frame.picture.shape == PICTURE.shape for frame in frames)
    assert "/door: broke off, trying again in 0 s" in caplog.text and "/door: has ended" in caplog.text


def test_a_closed_stream_is_not_opened_again(server, monkeypatch):
    Server.connections = 0
    monkeypatch.setattr(streams, "_WAITS", (60,))
    video = Video(Address(server + "/door"))
    frames = iter(video)
    next(frames)
    video.close()
    assert len(list(frames)) < PARTS and Server.connections == 1


@pytest.mark.parametrize("url", ["97", "http://127.0.0.1:1/door", "rtsp://127.0.0.1:1/door"])
def test_what_cannot_be_opened_is_one_line(url):
    with pytest.raises(ValueError, match=r": no camera, stream or video that OpenCV can open$"):
        Video(Address(url))


def test_a_video_on_the_web_has_its_own_times(server, tmp_path, monkeypatch):
    writer = cv2.VideoWriter(str(tmp_path / "a.webm"), cv2.VideoWriter.fourcc(*"VP80"), 10.0, tiny_onnx.SIZE)
    for _ in range(6):
        writer.write(PICTURE)
    writer.release()
    monkeypatch.setitem(FILES, "/a.webm", ("video/webm", (tmp_path / "a.webm").read_bytes()))
    video = Video(Address(server + "/a.webm"))
    assert not video.live
    np.testing.assert_allclose([frame.time for frame in video], np.arange(6) / 10, atol=0.001)
