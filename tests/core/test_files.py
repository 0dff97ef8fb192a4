"""Whole files or none, and one line for what cannot be read."""

import errno
import os
import subprocess
import time

import pytest

from paddlepose.core.files import (
    MistakesError,
    entry,
    folder_beside,
    read_json,
    remove_leftovers,
    remove_leftovers_of,
    written_beside,
)


def test_the_written_file_takes_the_place_of_the_old_one(tmp_path):
    target = tmp_path / "a" / "b" / "model.onnx"
    for text in ("first", "second"):
        with written_beside(target) as path:
            assert (path.parent, path.suffix) == (target.parent, ".onnx")
            path.write_text(text)
            assert not target.exists() or target.read_text() == "first"
        assert target.read_text() == text
    assert list(target.parent.iterdir()) == [target]


def test_an_interrupted_writer_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "model.onnx"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), written_beside(target) as path:
        path.write_text("ne")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_names_the_file_that_is_missing(tmp_path):
    with (
        pytest.raises(OSError, match=r"model\.onnx was not written: No space left"),
        written_beside(tmp_path / "model.onnx"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device", "some other name")


def test_a_file_where_a_folder_is_needed(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OSError, match=r"file/model\.onnx was not written"),
        written_beside(tmp_path / "file" / "model.onnx") as path,
    ):
        path.touch()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1,\n 2,,]", r"a\.json: not JSON: .* at line 2, column 4"),
        (b"", r"a\.json: not JSON: .* at line 1, column 1"),
        (b'["\xff"]', r"a\.json: not JSON: no text at byte 2"),
    ],
)
def test_json_that_is_none(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (lambda row: row["y"], "a.json: box 3 has no 'y'"),
        (lambda row: float(row["x"]), "a.json: box 3: could not convert string to float: 'one'"),
        (lambda row: row["x"] + 1, "a.json: box 3: can only concatenate str"),
    ],
)
def test_a_malformed_entry_says_where_it_is(expression, message):
    with pytest.raises(ValueError, match=message), entry("a.json: box 3"):
        expression({"x": "one"})


def test_a_number_that_json_has_not(tmp_path):
    (tmp_path / "a.json").write_text('[{"bbox": [NaN, 1, 2, 3]}]')
    with pytest.raises(ValueError, match="NaN is no number of JSON's"):
        read_json(tmp_path / "a.json")


def test_leftovers_of_processes_that_are_gone_are_removed(tmp_path):
    """Those of living processes stay, and whatever else has no visible name."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / f".a_frames.{gone.pid}").mkdir()
    (tmp_path / f".a_frames.{gone.pid}" / "1.jpg").touch()
    kept = {f".a.{os.getppid()}.json", ".a.json", ".bashrc", f"a.{gone.pid}.json", f".a.{gone.pid}x.json"}
    for name in (*kept, f".a.{gone.pid}.json", f".a.b.{gone.pid}.json", f".a.{os.getpid()}.json"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, "**/.*")
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_leftovers_of_a_process_that_nobody_has_waited_for(tmp_path):
    """A zombie writes no more."""
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as ended:
        ended.stdout.read()
        left = tmp_path / f".a.{ended.pid}.json"
        left.touch()
        deadline = time.monotonic() + 5
        while left.exists() and time.monotonic() < deadline:
            remove_leftovers(tmp_path, ".*")
        assert not left.exists()


def test_leftovers_of_one_file(tmp_path):
    """Its name may have what means something in patterns."""
    for name in (".a[1].999999999.onnx", ".a[1].999999999.parts", ".a1.999999999.onnx"):
        (tmp_path / name).touch()
    remove_leftovers_of(tmp_path / "a[1].onnx")
    assert [path.name for path in tmp_path.iterdir()] == [".a1.999999999.onnx"]


def test_a_folder_beside_is_empty_and_then_gone(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), folder_beside(tmp_path / "b" / "frames") as folder:
            assert not list(folder.iterdir())
            (folder / "1.jpg").touch()
            raise KeyboardInterrupt
    assert not list((tmp_path / "b").iterdir())


def test_several_mistakes_are_a_line_each():
    assert str(MistakesError(["a\nb", "c\x1b[0m"])) == "a\\nb\nc\\x1b[0m"
