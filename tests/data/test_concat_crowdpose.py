"""CrowdPose's two label files become one."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "data"))

import concat_crowdpose

NAME = "crowdpose_trainval.json"


def write(folder, split, number):
    content = {
        "images": [{"id": number}],
        "annotations": [{"id": 10 * number}],
        "categories": [{"id": 1, "from": split}],
    }
    (folder / f"crowdpose_{split}.json").write_text(json.dumps(content))


def test_both_files_in_order(tmp_path, capsys):
    write(tmp_path, "train", 7)
    write(tmp_path, "val", 3)
    assert concat_crowdpose.main(["--data_dir", str(tmp_path)]) == 0
    assert json.loads((tmp_path / NAME).read_text()) == {
        "categories": [{"id": 1, "from": "train"}],
        "images": [{"id": 7}, {"id": 3}],
        "annotations": [{"id": 70}, {"id": 30}],
    }
    assert NAME in capsys.readouterr().out
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("val", "message"),
    [
        (None, "crowdpose_val.json: no such file"),
        ("{", "crowdpose_val.json: not JSON"),
        ("{}", "crowdpose_val.json has no 'categories'"),
        ("[]", "crowdpose_val.json: list indices must be"),
    ],
)
def test_what_cannot_be_joined(tmp_path, capsys, val, message):
    """One line, and the file of an earlier run is still there."""
    write(tmp_path, "train", 7)
    (tmp_path / NAME).write_text("old")
    if val is not None:
        (tmp_path / "crowdpose_val.json").write_text(val)
    assert concat_crowdpose.main(["--data_dir", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path}/{message}")
    assert (tmp_path / NAME).read_text() == "old"
