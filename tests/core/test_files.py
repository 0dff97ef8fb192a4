"""Whole files or none, and one line for what cannot be read."""

import errno

import pytest

from paddlepose.core.files import entry, read_json, written_beside


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
