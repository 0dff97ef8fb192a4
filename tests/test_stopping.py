"""Commands that are stopped, that nobody reads, and names that a terminal would obey."""

import os
import signal
import subprocess
import sys
import zipfile

import cv2
import pytest

from paddlepose import commands
from paddlepose.core.files import visible
from paddlepose.core.image import read_picture
from paddlepose.core.media import sources
from paddlepose.core.results import check_inputs_are_kept, result_stems


class Stopped:
    """A command that a signal reaches."""

    @staticmethod
    def main(arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("went on")


def test_sigterm_stops_as_ctrl_c_does(monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(commands.plugins, "find", lambda folder, name: Stopped)
    assert commands.main(["train"]) == 143
    assert capsys.readouterr().err == "\nstopped\n"
    assert signal.getsignal(signal.SIGTERM) is before


STOPPED_IN_PADDLE = """
import os, signal, sys
from paddlepose import commands, plugins
find = plugins.find
def stopping(package, name):
    module = find(package, name)
    module.main = lambda arguments: os.kill(os.getpid(), signal.SIGTERM)
    return module
plugins.find = stopping
sys.exit(commands.main(["train"]))
"""


def test_sigterm_stops_a_command_that_uses_paddle():
    """Paddle has a handler of its own, which it sets when it is imported: 20 lines, and nothing is cleaned up."""
    done = subprocess.run([sys.executable, "-c", STOPPED_IN_PADDLE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (143, "\nstopped\n")


NOBODY_READS = """
import logging, sys
from paddlepose import commands
class Talks:
    def main(arguments):
        for number in range(1000):
            logging.getLogger("a").info("line %d", number) if arguments else print("line", number, flush=True)
        return 0
commands.plugins.find = lambda folder, name: Talks
sys.exit(commands.main(["deploy", *sys.argv[1:]]))
"""


@pytest.mark.parametrize(("arguments", "status"), [(["log"], 0), ([], 141)])
def test_a_closed_pipe_is_quiet(arguments, status):
    """A command that logs goes on with its work; one that only prints ends."""
    call = [sys.executable, "-c", NOBODY_READS, *arguments]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        run.stdout.close()
        assert run.stderr.read() == ""
    assert run.returncode == status


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--cfg", "no\nsuch.yaml"],
        ["train", "--cfg", "experiments/mini/quickstart.yaml", "TRAIN.L\nR", "1"],
        ["deploy", "--model", "no\nsuch.onnx", "--img", "a.jpg"],
        ["convert", "no\nsuch.pth"],
    ],
)
def test_one_mistake_is_one_line_whatever_the_names(capsys, arguments):
    assert commands.main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and "\\n" in line


def test_two_mistakes_are_two_lines(tmp_path, capsys):
    cfg = tmp_path / "two\nlines.yaml"
    cfg.write_text("TRAIN: {LR: fast, OPTIMIZER: none}")
    assert commands.main(["train", "--cfg", str(cfg)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"error: {tmp_path}/two\\nlines.yaml: TRAIN.") for line in lines)


@pytest.mark.parametrize(
    ("line", "shown"), [("a.jpg: \x1b[31mred", "a.jpg: \\x1b[31mred"), ("a\nb", "a\\nb"), ("é ü 你", "é ü 你")]
)
def test_escape_sequences_are_written_out(line, shown):
    assert visible(line) == shown


def test_a_member_of_an_unknown_method_is_named(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", b"nothing")
    data = path.read_bytes()
    place = data.index(b"PK\x01\x02") + 10  # the method in the central directory
    path.write_bytes(data[:place] + bytes([99, 0]) + data[place + 2 :])
    with pytest.raises(ValueError, match=r"a.jpg: damaged in the archive"):
        read_picture(tmp_path / "images.zip@" / "a.jpg")


def test_a_picture_that_opencv_refuses_is_named(tmp_path):
    wide = tmp_path / "wide.png"
    wide.write_bytes(b"a picture")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cv2, "imdecode", lambda *_: (_ for _ in ()).throw(cv2.error("too wide")))
        with pytest.raises(ValueError, match=r"wide.png: error: too wide"):
            read_picture(wide)


def test_results_of_earlier_runs_are_no_sources(tmp_path):
    for name in ("a.jpg", "a_result.jpg", "a_result.json", "b_result.jpg"):
        (tmp_path / name).touch()
    assert [path.name for path in sources(str(tmp_path))] == ["a.jpg", "b_result.jpg"]


def test_a_result_never_overwrites_an_input(tmp_path):
    paths = [tmp_path / "x.jpg", tmp_path / "x_result.jpg"]
    with pytest.raises(ValueError, match=r"x.jpg: its result would overwrite the input .*x_result.jpg"):
        check_inputs_are_kept(paths, result_stems(paths, tmp_path))
    check_inputs_are_kept(paths, result_stems(paths, tmp_path / "out"))


def test_export_does_not_write_over_weights(tmp_path, capsys):
    weights = tmp_path / "model_best.pdparams"
    weights.write_bytes(b"weights")
    assert commands.main(["export", "--cfg", "experiments/mini/quickstart.yaml", "--out", str(weights)]) == 1
    assert capsys.readouterr().err == f"error: --out {weights}: expected a name that ends in .onnx\n"
    assert weights.read_bytes() == b"weights"
