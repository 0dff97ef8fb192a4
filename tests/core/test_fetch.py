"""Fetching files, from a server of the test's own that cuts, delays, redirects and lies."""

import hashlib
import multiprocessing
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from paddlepose.core import fetch as module
from paddlepose.core.fetch import NotFetchedError, alone, fetch
from paddlepose.core.files import NotWrittenError

CONTENT = np.random.default_rng(0).integers(0, 256, 3_000_000).astype(np.uint8).tobytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT at any path; notes where its answers begin, and cuts the first `cuts` of them at 40 %."""

    daemon_threads = True
    cuts = 0
    content = CONTENT
    ranges = True

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.starts = []


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        server, content = self.server, self.server.content
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.end_headers()
            return
        if self.path == "/none":
            self.send_error(404, "Not Found")
            return
        asked = self.headers.get("Range") if server.ranges else None
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        server.starts.append(start)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content)
        if server.cuts:
            server.cuts -= 1
            end = int(0.4 * len(content))
        self.wfile.write(content[start:end])
        if end < len(content):
            self.close_connection = True

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    with Server(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        server.address = f"http://127.0.0.1:{server.server_port}"
        yield server
        server.shutdown()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "_PAUSE", 0)
    with serving() as running:
        yield running


def test_a_file_comes_whole_and_alone(server, tmp_path):
    fetch(f"{server.address}/file", tmp_path / "a.pth", SHA256[:8])
    assert (tmp_path / "a.pth").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


def test_a_cut_connection_goes_on_where_it_was(server, tmp_path):
    server.cuts = 1
    fetch(f"{server.address}/file", tmp_path / "a.pth", SHA256)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT
    assert server.starts == [0, int(0.4 * len(CONTENT))]


def test_a_later_try_goes_on_where_the_first_was_stopped(server, tmp_path, monkeypatch):
    class StoppedError(BaseException):
        pass

    def stop(done, total):
        if done > 0.4 * total:
            raise StoppedError

    monkeypatch.setattr(module, "_show", stop)
    with pytest.raises(StoppedError):
        fetch(f"{server.address}/file", tmp_path / "a.pth", SHA256)
    assert not (tmp_path / "a.pth").exists()
    part = (tmp_path / ".a.pth.part").stat().st_size
    assert part > 0.4 * len(CONTENT)
    monkeypatch.setattr(module, "_show", lambda *_: None)
    fetch(f"{server.address}/file", tmp_path / "a.pth", SHA256)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT
    assert server.starts == [0, part]


def test_a_server_without_ranges_begins_again(server, tmp_path):
    server.ranges, server.cuts = False, 1
    fetch(f"{server.address}/file", tmp_path / "a.pth", SHA256)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_a_redirect_is_followed(server, tmp_path):
    fetch(f"{server.address}/moved", tmp_path / "a.pth", SHA256)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_the_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.delenv("no_proxy", raising=False)
    fetch("http://weights.invalid/file", tmp_path / "a.pth", SHA256)
    assert server.starts == [0]


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("/file", b"another", "another file came: its sha256 begins with [0-9a-f]{8}, expected " + SHA256[:8]),
        ("/none", CONTENT, "Not Found"),
    ],
)
def test_what_does_not_come_leaves_nothing(server, tmp_path, path, content, message):
    server.content = content
    with pytest.raises(NotFetchedError, match=f"^{server.address}{path}: .*{message}.*put it at {tmp_path}/a.pth"):
        fetch(f"{server.address}{path}", tmp_path / "a.pth", SHA256)
    assert not list(tmp_path.iterdir())


def test_without_a_connection_the_message_has_both_places(tmp_path):
    with pytest.raises(NotFetchedError, match=f"^http://127.0.0.1:1/a: .*refused.* put it at {tmp_path}/a.pth"):
        fetch("http://127.0.0.1:1/a", tmp_path / "a.pth", SHA256)
    assert not list(tmp_path.iterdir())


def test_a_slow_server_is_waited_for_only_so_long(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as silent:  # takes the connection and says nothing
        address = f"http://127.0.0.1:{silent.server_port}/a"
        with pytest.raises(NotFetchedError, match="timed out"):
            fetch(address, tmp_path / "a.pth", SHA256)


def test_a_full_disk_leaves_nothing(server, tmp_path, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, _):
            raise OSError(28, "No space left on device")

    opened = type(tmp_path).open
    monkeypatch.setattr(
        type(tmp_path), "open", lambda path, *how: Full() if path.suffix == ".part" else opened(path, *how)
    )
    with pytest.raises(NotWrittenError, match="No space left on device; make room, or fetch it by hand"):
        fetch(f"{server.address}/file", tmp_path / "a.pth", SHA256)
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


def test_where_no_checksum_is_published_the_first_files_is_kept(server, tmp_path):
    path = tmp_path / "a.onnx"
    fetch(f"{server.address}/file", path, "")
    assert (tmp_path / "a.onnx.sha256").read_text() == f"{SHA256}  a.onnx\n"
    path.unlink()
    server.content = b"another"
    with pytest.raises(NotFetchedError, match="another file came"):
        fetch(f"{server.address}/file", path, "")


def _fetch_alone(address, folder, queue):
    with alone(folder):
        if not (folder / "a.pth").is_file():
            fetch(address, folder / "a.pth", SHA256)
    queue.put((folder / "a.pth").read_bytes() == CONTENT)


def test_two_processes_fetch_once(server, tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    both = [context.Process(target=_fetch_alone, args=(f"{server.address}/file", tmp_path, queue)) for _ in range(2)]
    for process in both:
        process.start()
    assert [queue.get(timeout=20) for _ in both] == [True, True]
    for process in both:
        process.join()
    assert server.starts == [0]
