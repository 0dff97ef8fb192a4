"""What `deploy` takes as pictures, and the files in which it writes the poses of all of them."""

import csv
import io
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import pytest
import tiny_onnx

from paddlepose import commands
from paddlepose.commands import deploy
from paddlepose.core.predict import TopDown
from paddlepose.core.result import COLUMNS

CORNERS = (8, 12), (20, 24), (40, 56)
PICTURE = tiny_onnx.squares(*CORNERS)
FRAMES = 5


@pytest.fixture
def photos(tmp_path):
    """Two pictures and a video, one of the pictures in a subfolder."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    cv2.imwrite(str(folder / "a.png"), PICTURE)
    cv2.imwrite(str(folder / "deep" / "b.png"), PICTURE)
    writer = cv2.VideoWriter(str(folder / "c.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, tiny_onnx.SIZE)
    for _ in range(FRAMES):
        writer.write(PICTURE)
    writer.release()
    return folder


@pytest.fixture
def model(tmp_path):
    return tiny_onnx.write_model(tmp_path / "squares.onnx")


@pytest.fixture
def deployed(tmp_path, model, caplog, monkeypatch):
    """Exit code of deploy with these arguments, in an empty folder of its own."""
    caplog.set_level(logging.INFO)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return lambda *arguments: deploy.main(["--model", str(model), *map(str, arguments)])


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_subfolders(deployed, photos, tmp_path):
    assert deployed("--img", photos, "--recursive", "--out", "out") == 0
    results = ["a_result.jpg", "a_result.json", "c_result.jsonl", "c_result.webm"]
    assert files(tmp_path / "here" / "out") == [*results, "deep/b_result.jpg", "deep/b_result.json"]


def test_one_table_of_all_sources(deployed, photos, tmp_path):
    pytest.importorskip("scipy", reason="people get ids where scipy is installed")
    boxes = ["--bbox", "0,0,48,64", "--bbox", "0,0,24,32"]
    assert deployed("--img", photos, "--recursive", "--csv", tmp_path / "all.csv", *boxes) == 0
    rows = table(tmp_path / "all.csv")
    assert tuple(rows[0]) == COLUMNS and len(rows) == (2 + FRAMES) * 2 * 3
    first = {"file": str(photos / "a.png"), "frame": "", "id": "1", "joint": "blue", "x": "8.0", "y": "12.0"}
    assert rows[0] == {**first, "score": "1.0"}
    of_video = [row for row in rows if row["file"].endswith("c.avi")]
    assert [row["frame"] for row in of_video] == [str(i) for i in range(FRAMES) for _ in range(6)]
    assert {row["id"] for row in rows} == {"1", "2"} and {row["joint"] for row in rows} == {"blue", "green", "red"}


def test_a_source_that_fails_is_not_in_the_table(deployed, photos, tmp_path, monkeypatch, capsys):
    """Its first frames were found; the sources before and after it stay."""
    (photos / "b.png").write_bytes(b"broken")
    cv2.imwrite(str(photos / "d.png"), PICTURE)
    look, calls = TopDown.look, iter(range(99))

    def fail(self, picture, rows=None, **about):
        if next(calls) == 4:
            raise ValueError("no more")
        return look(self, picture, rows, **about)

    monkeypatch.setattr(TopDown, "look", fail)
    assert deployed("--img", photos, "--csv", "all.csv") == 1
    rows = table(tmp_path / "here" / "all.csv")
    assert [row["file"] for row in rows] == [str(photos / name) for name in ("a.png", "d.png") for _ in range(3)]
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2 and "b.png: not a picture" in errors[0] and "c.avi: no more" in errors[1]


def test_lines_of_json_on_the_standard_output_alone(model, photos, tmp_path, monkeypatch, capsys):
    """The log is on the error stream, and no files are written unless `--out` asks for them."""
    monkeypatch.chdir(tmp_path)
    before = files(tmp_path)
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        arguments = ["deploy", "--model", model, "--img", photos, "--recursive", "--stream-json", "-"]
        assert commands.main([str(argument) for argument in arguments]) == 0
    finally:
        root.handlers = handlers
    shown = capsys.readouterr()
    rows = [json.loads(line) for line in shown.out.splitlines()]
    assert [(row["file"].rpartition("/")[2], row.get("frame")) for row in rows] == [
        ("a.png", None),
        *(("c.avi", i) for i in range(FRAMES)),
        ("b.png", None),
    ]
    assert rows[0]["people"][0]["keypoints"]["blue"] == [8, 12, 1] and rows[0]["people"][0]["box"] == [0, 0, 48, 64]
    assert rows[3]["time"] == 0.2 and rows[0]["size"] == [48, 64]
    assert "3 of 3 sources done" in shown.err and files(tmp_path) == before


def test_lines_of_json_in_a_file_beside_results(deployed, photos, tmp_path):
    assert deployed("--img", photos / "a.png", "--stream-json", "all.jsonl", "--out", "out") == 0
    assert len((tmp_path / "here" / "all.jsonl").read_text().splitlines()) == 1
    assert files(tmp_path / "here") == ["all.jsonl", "out/a_result.jpg", "out/a_result.json"]


def test_frames_need_a_folder(deployed, photos):
    with pytest.raises(ValueError, match="--frames: with --stream-json no pictures are written unless --out says"):
        deployed("--img", photos, "--stream-json", "-", "--frames")


def test_nobody_reads_the_lines(model, photos, monkeypatch):
    """As of `| head -1`: it is over, and other sources are not tried."""

    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Closed())
    with pytest.raises(BrokenPipeError):
        deploy.main(["--model", str(model), "--img", str(photos), "--stream-json", "-"])


def test_names_come_in_lines(deployed, photos, tmp_path, monkeypatch):
    lines = f"{photos / 'a.png'}\n\n{photos / 'deep'}\n{photos / 'a.png'}\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert deployed("--img", "-", "--out", "out") == 0
    names = ["a_result.jpg", "a_result.json", "deep/b_result.jpg", "deep/b_result.json"]
    assert files(tmp_path / "here" / "out") == names


@pytest.mark.parametrize(
    ("lines", "message"), [("", "--img -: no lines came in"), ("none.jpg\n", "none.jpg: no picture or video found")]
)
def test_lines_that_name_nothing(deployed, monkeypatch, lines, message):
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    with pytest.raises(FileNotFoundError, match=message):
        deployed("--img", "-")


@pytest.mark.parametrize("option", ["--csv", "--stream-json"])
def test_a_table_does_not_take_an_inputs_place(deployed, photos, option):
    with pytest.raises(ValueError, match=r"a.png: results would overwrite this input"):
        deployed("--img", photos, option, photos / "a.png")
    assert cv2.imread(str(photos / "a.png")) is not None


def test_a_whole_picture_is_taken_with_a_warning(deployed, photos, caplog):
    assert deployed("--img", photos, "--recursive") == 0
    (warning,) = [record for record in caplog.records if "neither boxes nor a detector" in record.message]
    assert warning.levelname == "WARNING" and "--bbox, --boxes or --detector" in warning.message
    caplog.clear()
    assert deployed("--img", photos / "a.png", "--bbox", "0,0,48,64") == 0
    assert "neither" not in caplog.text


class Camera(BaseHTTPRequestHandler):
    """A picture at `/a.png`, and a camera without an end everywhere else."""

    def do_GET(self):
        content = cv2.imencode(".jpg", PICTURE)[1].tobytes()
        self.send_response(200)
        if self.path == "/a.png":
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            self.wfile.write(cv2.imencode(".png", PICTURE)[1].tobytes())
            return
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=part")
        self.end_headers()
        while True:
            head = f"--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
            self.wfile.write(head.encode() + content + b"\r\n")

    def log_message(self, *_):
        """Say nothing."""


class Quiet(ThreadingHTTPServer):
    """A server that says nothing when somebody hangs up."""

    def handle_error(self, request, client_address):
        """Say nothing."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Quiet(("127.0.0.1", 0), Camera) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_picture_on_the_web(deployed, server, tmp_path):
    assert deployed("--img", f"{server}/a.png", "--out", "out", "--csv", "all.csv") == 0
    assert files(tmp_path / "here" / "out") == ["a_result.jpg", "a_result.json"]
    assert table(tmp_path / "here" / "all.csv")[0]["file"] == f"{server}/a.png"


def test_a_stream_goes_on_until_ctrl_c_and_is_kept(deployed, server, tmp_path, monkeypatch, caplog):
    look, calls = TopDown.look, iter(range(99))

    def stop(self, picture, rows=None, **about):
        if next(calls) == 8:
            raise KeyboardInterrupt
        return look(self, picture, rows, **about)

    monkeypatch.setattr(TopDown, "look", stop)
    assert deployed("--img", f"{server}/door", "--out", "out", "--csv", "all.csv", "--inferenceFps", "100") == 0
    rows = [json.loads(line) for line in (tmp_path / "here" / "out" / "door_result.jsonl").read_text().splitlines()]
    assert 5 < len(rows) <= 8 and (tmp_path / "here" / "out" / "door_result.webm").stat().st_size
    assert len(table(tmp_path / "here" / "all.csv")) == 3 * len(rows)
    assert "door: stopped; what was found is kept" in caplog.text


def test_a_camera_that_is_not_there(deployed, capsys):
    assert deployed("--img", "97") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: 97: no camera, stream or video that OpenCV can open"
