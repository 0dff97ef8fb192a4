"""A web server of files, for the tests: it counts what it serves, and can break off, wait, or send elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What a server has, does and did; files are by their path, such as `/a.pth`."""

    files: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)  # paths to addresses
    cuts: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    waits: list[threading.Event] = field(default_factory=list)  # what the next answers wait for in their middle
    ranges: bool = True  # answers can begin within a file
    address: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path and range of each request
    sent: int = 0  # bytes of files


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site, wanted = self.site, self.headers.get("Range")
        site.asked.append((self.path, wanted))
        if self.path in site.moved:
            self.send_response(302)
            self.send_header("Location", site.moved[self.path])
            self.end_headers()
            return
        if self.path not in site.files:
            self.send_error(404)
            return
        content = site.files[self.path]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and site.ranges else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.send(content[start:])

    def send(self, body: bytes) -> None:
        cut = self.site.cuts.pop(0) if self.site.cuts else len(body)
        wait = self.site.waits.pop(0) if self.site.waits else None
        parts = [body[: min(cut, 2 * len(body) // 5)], body[2 * len(body) // 5 : cut]]
        for part in parts:
            self.wfile.write(part)
            self.site.sent += len(part)
            if wait:
                wait.wait(20)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when somebody hangs up."""


@contextmanager
def serving() -> Iterator[Site]:
    """A site that is served for the time of the block; its `address` is where."""
    site = Site()
    handler = type("Handler", (_Handler,), {"site": site})
    with _Quiet(("127.0.0.1", 0), handler) as server:
        site.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield site
        for wait in site.waits:
            wait.set()
        server.shutdown()


def until(is_so: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something that another thread or process does."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)
