"""The script that scores a results file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "cocoapi" / "evaluate.py"


@pytest.fixture
def score(tmp_path):
    """`score(results, *options)`: the finished script, on labels of one person with two joints."""

    def run(results, *options):
        labels = {
            "images": [{"id": 1}],
            "categories": [{"id": 1}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 64, 64], "keypoints": [1, 2, 2, 3, 4, 2]}
            ],
        }
        (tmp_path / "gt.json").write_text(json.dumps(labels))
        (tmp_path / "found.json").write_text(results)
        files = ["--gt", tmp_path / "gt.json", "--results", tmp_path / "found.json"]
        return subprocess.run([sys.executable, SCRIPT, *files, *options], capture_output=True, text=True, check=False)

    return run


def test_table(score):
    found = [{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 0.9, 3, 4, 0.9], "score": 0.9}]
    done = score(json.dumps(found), "--sigmas", "0.1,0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        "| Arch | AP | Ap .5 | AP .75 | AP (M) | AP (L) | AR | AR .5 | AR .75 | AR (M) | AR (L) |"
    )
    assert done.stdout.splitlines()[2].startswith("| found | 1.000 | 1.000 | 1.000 | 1.000 | - |")


def test_joints_that_nobody_has_measured_have_one_fall_off(score):
    found = [{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 0.9, 3, 5, 0.9], "score": 0.9}]
    default, same = score(json.dumps(found)), score(json.dumps(found), "--sigmas", "0.05,0.05")
    assert (default.returncode, default.stdout) == (0, same.stdout)


@pytest.mark.parametrize(
    ("results", "options", "message"),
    [
        ("[", ["--sigmas", "0.1,0.1"], "found.json: not JSON"),
        ("[]", ["--sigmas", "0.1"], "the labels have 2 joints, but there are 1 sigmas"),
        ("[]", ["--sigmas", "0.1,x"], "--sigmas 0.1,x: expected numbers with commas between"),
        ("[]", ["--gt", "nowhere.json"], "nowhere.json"),
    ],
)
def test_mistakes_are_one_line(score, results, options, message):
    done = score(results, *options)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
