"""Files are fetched whole or not at all, from a web server of the test's own, which breaks off, waits and lies."""

import hashlib
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from web_server import serving, until

from paddlepose.core import fetch as module
from paddlepose.core.fetch import NotFetchedError, alone, check, fetch
from paddlepose.core.files import NotWrittenError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
PART = len(CONTENT) * 2 // 5  # 40 %
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()[:8]
REST = f"bytes={PART}-"


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as running:
        running.files["/a.pth"] = CONTENT
        yield running


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(address, path, checksum=CHECKSUM):
    """The message, which has the address and where to put the file by hand; nothing is at `path`."""
    with pytest.raises((NotFetchedError, NotWrittenError)) as error:
        fetch(address, path, checksum)
    message = str(error.value)
    assert message.startswith(f"{address}: ") and message.endswith(f"or fetch it by hand and put it at {path}")
    assert "\n" not in message and not path.exists()
    return message


def test_a_file_is_fetched(site, tmp_path):
    fetch(f"{site.address}/a.pth", tmp_path / "a.pth", CHECKSUM)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.pth"] and site.asked == [("/a.pth", None)]


def test_a_connection_that_is_cut_goes_on(site, tmp_path, caplog):
    """What has come does not come again."""
    caplog.set_level(logging.INFO)
    site.cuts = [PART, 1000]
    fetch(f"{site.address}/a.pth", tmp_path / "a.pth", CHECKSUM)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT and site.sent == len(CONTENT)
    assert [wanted for _, wanted in site.asked] == [None, REST, f"bytes={PART + 1000}-"]
    assert "the connection was cut (only 1,200,000 of 3,000,000 bytes came): going on" in caplog.text


def test_a_try_that_failed_is_gone_on_with(site, tmp_path):
    site.cuts = [PART, 0]
    message = refused(f"{site.address}/a.pth", tmp_path / "a.pth")
    assert "after 1.2 MB, where the next try goes on" in message and names(tmp_path) == [".a.pth.part"]
    fetch(f"{site.address}/a.pth", tmp_path / "a.pth", CHECKSUM)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT and site.sent == len(CONTENT)
    assert names(tmp_path) == ["a.pth"]


FETCH = "import sys; from pathlib import Path; from paddlepose.core.fetch import fetch; fetch({!r}, Path({!r}), {!r})"


def test_a_process_that_is_killed_at_40_percent_is_gone_on_with(site, tmp_path):
    held = threading.Event()
    site.waits = [held]
    program = FETCH.format(f"{site.address}/a.pth", str(tmp_path / "a.pth"), CHECKSUM)
    process = subprocess.Popen([sys.executable, "-c", program])
    part = tmp_path / ".a.pth.part"
    until(lambda: part.is_file() and part.stat().st_size == PART)
    process.send_signal(signal.SIGKILL)
    process.wait()
    held.set()
    assert names(tmp_path) == [".a.pth.part"]
    fetch(f"{site.address}/a.pth", tmp_path / "a.pth", CHECKSUM)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT and names(tmp_path) == ["a.pth"]
    assert site.asked == [("/a.pth", None), ("/a.pth", REST)]


def test_a_server_that_begins_at_the_start_again(site, tmp_path):
    site.cuts, site.ranges = [PART], False
    fetch(f"{site.address}/a.pth", tmp_path / "a.pth", CHECKSUM)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT and site.sent == PART + len(CONTENT)


@pytest.mark.parametrize("cuts", [[0], [PART, PART], [0, 0]])
def test_a_server_that_gets_no_further_is_left(site, tmp_path, cuts):
    site.cuts, site.ranges = cuts, False
    assert "bytes came" in refused(f"{site.address}/a.pth", tmp_path / "a.pth")
    assert len(site.asked) <= 2


def test_what_had_come_whole_is_not_fetched_again(site, tmp_path):
    (tmp_path / ".a.pth.part").write_bytes(CONTENT)
    fetch(f"{site.address}/a.pth", tmp_path / "a.pth", CHECKSUM)
    assert site.sent == 0 and (tmp_path / "a.pth").read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"", CONTENT[:-1], b"another file's" * 9, CONTENT + b"more"])
def test_wrong_bytes_are_refused(site, tmp_path, part):
    """Whether they come now, or had come; the next try begins anew."""
    (tmp_path / ".a.pth.part").write_bytes(part)
    site.files["/a.pth"] = CONTENT[:-1] + b"?"
    message = refused(f"{site.address}/a.pth", tmp_path / "a.pth")
    assert re.search(rf": another file came: its sha256 begins with \w{{8}}, expected {CHECKSUM}; try again", message)
    assert names(tmp_path) == []
    site.files["/a.pth"] = CONTENT
    fetch(f"{site.address}/a.pth", tmp_path / "a.pth", CHECKSUM)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_the_first_files_checksum_is_kept_where_none_is_published(site, tmp_path):
    path = tmp_path / "a.pth"
    fetch(f"{site.address}/a.pth", path, "")
    kept = tmp_path / "a.pth.sha256"
    assert kept.read_text() == f"{hashlib.sha256(CONTENT).hexdigest()}  a.pth\n"
    path.unlink()
    site.files["/a.pth"] = b"another"
    refused(f"{site.address}/a.pth", path, "")
    assert names(tmp_path) == ["a.pth.sha256"]
    path.write_bytes(b"by hand")
    with pytest.raises(ValueError, match=f"its sha256 begins with .{{8}}, expected {CHECKSUM}"):
        check(path, "", path)


def test_without_a_checksum_nothing_is_put_together(site, tmp_path):
    (tmp_path / ".a.pth.part").write_bytes(b"another file's")
    fetch(f"{site.address}/a.pth", tmp_path / "a.pth", "")
    assert (tmp_path / "a.pth").read_bytes() == CONTENT and site.asked == [("/a.pth", None)]


def test_slow_answers(site, tmp_path, monkeypatch, caplog):
    """A server that falls silent is asked for the rest."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    held = threading.Event()
    site.waits = [held]
    fetch(f"{site.address}/a.pth", tmp_path / "a.pth", CHECKSUM)
    held.set()
    assert (tmp_path / "a.pth").read_bytes() == CONTENT and site.asked[1] == ("/a.pth", REST)
    assert "the connection was cut (timed out): going on" in caplog.text


def test_no_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TIMEOUT", 0.1)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a.pth"
        assert "timed out" in refused(address, tmp_path / "a.pth")
    assert names(tmp_path) == []


@pytest.mark.parametrize("cuts", [[], [PART]])
def test_a_file_that_has_moved(site, tmp_path, cuts):
    site.moved = {"/old.pth": f"{site.address}/older.pth", "/older.pth": "/a.pth"}
    site.cuts = cuts
    fetch(f"{site.address}/old.pth", tmp_path / "a.pth", CHECKSUM)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT and site.sent == len(CONTENT)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/moved.pth", "HTTP Error 302: The HTTP server returned a redirect error that would lead to an infinite loop"),
        ("file:///etc/passwd", "HTTP Error 302"),
        ("/none.pth", "HTTP Error 404: Not Found"),
    ],
)
def test_a_file_that_has_moved_nowhere(site, tmp_path, target, message):
    site.moved = {"/moved.pth": target}
    assert message in refused(f"{site.address}/moved.pth", tmp_path / "a.pth")
    assert names(tmp_path) == []


def test_a_proxy_is_asked(site, tmp_path, monkeypatch):
    """It is given the whole address, of a host that nobody else knows."""
    address = "http://models.invalid/a.pth"
    site.files[address] = CONTENT
    site.cuts = [PART]
    monkeypatch.setenv("http_proxy", site.address)
    fetch(address, tmp_path / "a.pth", CHECKSUM)
    assert site.asked == [(address, None), (address, REST)]
    fetch(f"{site.address}/a.pth", tmp_path / "b.pth", CHECKSUM)  # no_proxy
    assert site.asked[2] == ("/a.pth", None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (URLError(ConnectionRefusedError(111, "Connection refused")), "Connection refused"),
        (URLError(socket.gaierror(-3, "Temporary failure in name resolution")), "Temporary failure in name resolution"),
        (URLError("no host given"), "no host given"),
    ],
)
def test_no_connection(tmp_path, monkeypatch, error, reason):
    class Opener:
        def open(self, *_, **__):
            raise error

    monkeypatch.setattr(module, "build_opener", Opener)
    address, path = "https://models.invalid/a.pth", tmp_path / "a.pth"
    assert refused(address, path) == f"{address}: {reason}; try again, or fetch it by hand and put it at {path}"


def test_a_dead_address(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert "Connection refused" in refused("http://127.0.0.1:1/a.pth", tmp_path / "a.pth")
    assert names(tmp_path) == []


class Full:
    """A file on a full disk: what could not be written is tried again when it is closed."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.write()

    def write(self, _=b""):
        raise OSError(28, "No space left on device")


def test_a_full_disk(site, tmp_path, monkeypatch):
    """It is no connection that was cut, however much of the file had room; nothing is left of it."""
    part, opened = tmp_path / ".a.pth.part", Path.open
    part.write_bytes(CONTENT[:PART])
    monkeypatch.setattr(Path, "open", lambda path, how="r", **o: Full() if how == "ab" else opened(path, how, **o))
    message = refused(f"{site.address}/a.pth", tmp_path / "a.pth")
    assert f"{part} was not written: No space left on device; make room, or" in message
    assert names(tmp_path) == [] and site.asked == [("/a.pth", REST)]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(NotWrittenError, match=r"file/below/.lock was not written: "),
        alone(tmp_path / "file" / "below"),
    ):
        pass


def test_the_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    module._show(3_000_000, 12_000_000)
    module._show(12_000_000, 12_000_000)
    module._show(5_000_000, None)
    shown = capsys.readouterr().err
    assert shown == f"\r{'#' * 8}{'.' * 22}  25% 3.0 MB\r{'#' * 30} 100% 12.0 MB\n\r5.0 MB"
