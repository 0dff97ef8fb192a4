"""COCO's and CrowdPose's figures, against the references' and against pycocotools."""

import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from paddlepose.core.nms import SIGMAS
from paddlepose.core.result import pose_rows
from paddlepose.core.types import Poses
from paddlepose.datasets import Source, coco
from paddlepose.metrics.coco import FIGURES, evaluate, rescored

# One person of 17 joints on a diagonal, found as labelled.
JOINTS = [value for i in range(17) for value in (10.0 + i, 20.0 + i, 2)]
LABELS = {
    "images": [{"id": 1}],
    "categories": [{"id": 1, "name": "person"}],
    "annotations": [{"id": 0, "image_id": 1, "category_id": 1, "bbox": [0, 0, 64, 64], "keypoints": JOINTS}],
}
FOUND = {"image_id": 1, "category_id": 1, "keypoints": JOINTS, "score": 0.5}


@pytest.fixture
def golden_run(golden, tmp_path):
    """`golden_run(case)`: the figures and the rows of the results file that the golden's poses give."""

    def run(case):
        table, arrays = golden("topdown/coco_eval.json"), golden("topdown/coco_eval.npz")
        (tmp_path / "annotations").mkdir()
        (tmp_path / "annotations" / "val.json").write_text(json.dumps(table["gt"]))
        (tmp_path / "images").mkdir()
        for image in table["gt"]["images"]:
            (tmp_path / "images" / image["file_name"]).touch()
        (tmp_path / "boxes.json").write_text(json.dumps(table["detections"]))
        source = Source(tmp_path, "val", 192 / 256, detections=tmp_path / "boxes.json", least_score=0.1)
        options = {key.removeprefix("TEST.").lower(): value for key, value in table["cases"][case]["options"].items()}
        metric = coco.metric(source, tmp_path / "out", SimpleNamespace(**options))
        start = 0
        for record in coco.records(source):
            joints = arrays["in__preds"][start : start + len(record.people)].astype(np.float64)
            metric.add(record, Poses(joints[..., :2], joints[..., 2], joints[..., 2].mean(1)))
            start += len(record.people)
        figures = metric.compute()
        return figures, json.loads((tmp_path / "out" / "results" / "keypoints_val_results_0.json").read_text())

    return run


@pytest.mark.parametrize("case", ["default", "soft_nms", "oks_thre_0.5", "oks_thre_0.2_in_vis_0.5"])
def test_figures_and_results_file_equal_the_golden(golden, golden_run, case, capfd):
    expected = golden("topdown/coco_eval.json")["cases"][case]
    figures, rows = golden_run(case)
    assert list(figures) == list(expected["stats"])
    assert figures == pytest.approx(expected["stats"], abs=1e-5)
    assert len(rows) == expected["num_results"]
    images, scores, first_x = zip(*expected["results"], strict=True)
    assert [row["image_id"] for row in rows][: len(images)] == list(images)
    np.testing.assert_allclose([row["score"] for row in rows][: len(images)], scores, atol=1e-6)
    np.testing.assert_allclose([row["keypoints"][0] for row in rows][: len(images)], first_x, atol=6e-4)  # rounded
    assert capfd.readouterr() == ("", "")


def test_figures_equal_those_of_pycocotools(golden, golden_run):
    """On labels with crowds, people without an area, without joints, and outside the image."""
    figures, rows = golden_run("default")
    reference = COCO()
    with contextlib.redirect_stdout(io.StringIO()):
        reference.dataset = golden("topdown/coco_eval.json")["gt"]
        reference.createIndex()
        evaluator = COCOeval(reference, reference.loadRes(rows), "keypoints")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    assert list(figures.values()) == pytest.approx(evaluator.stats.tolist(), abs=1e-9)


@pytest.mark.parametrize("kind", ["coco", "crowdpose"])
def test_figures_of_bottom_up_results_equal_the_golden(golden, kind):
    """Every label and every pose counts; the poses of a picture have x, y and score of each joint."""
    table = golden(f"bottomup/evaluate_{kind}.json")
    rows = []
    for image, found, scores in zip(table["annotations"]["images"], table["predictions"], table["scores"], strict=True):
        joints = np.array(found).reshape(len(found), len(SIGMAS[kind]), 3)
        rows += pose_rows(image["id"], Poses(joints[..., :2], joints[..., 2], np.array(scores)))
    assert len(rows) == table["results_count"]
    for row, wanted in zip(rows, table["results_file_first"], strict=False):
        assert row.keys() == wanted.keys()
        for key, value in wanted.items():
            assert row[key] == pytest.approx(value), key
    figures = evaluate(table["annotations"], rows, kind)
    theirs = {"AP (E)": "AP (easy)", "AP (M)": "AP (medium)", "AP (H)": "AP (hard)"} if kind == "crowdpose" else {}
    assert figures == pytest.approx({name: table["stats"][theirs.get(name, name)] for name in FIGURES[kind]}, abs=1e-6)
    assert len(figures) == len(table["stats"])


def test_a_perfect_pose():
    """The box of 64 x 64 makes a medium person: of large ones there is none. An id of 0 is as good as any."""
    figures = evaluate(LABELS, [FOUND])
    assert figures == pytest.approx(dict.fromkeys(FIGURES["coco"], 1.0) | {"AP (L)": -1, "AR (L)": -1})


def test_no_results_give_zeros():
    figures = evaluate(LABELS, [])
    assert figures == dict.fromkeys(FIGURES["coco"], 0.0) | {"AP (L)": -1, "AR (L)": -1}


def test_no_labels_give_minus_one():
    assert set(evaluate(LABELS | {"annotations": []}, [FOUND]).values()) == {-1}


@pytest.mark.parametrize(("index", "figure"), [(0.1, "AP (E)"), (0.2, "AP (M)"), (0.8, "AP (H)")])
def test_levels_of_crowdpose(index, figure):
    labels = {
        "images": [{"id": 1, "crowdIndex": index}],
        "categories": LABELS["categories"],
        "annotations": [LABELS["annotations"][0] | {"keypoints": JOINTS[: 14 * 3]}],
    }
    figures = evaluate(labels, [FOUND | {"keypoints": JOINTS[: 14 * 3]}], "crowdpose")
    levels = {"AP (E)", "AP (M)", "AP (H)"}
    assert figures == pytest.approx({name: -1 if name in levels - {figure} else 1 for name in FIGURES["crowdpose"]})


def test_other_joints_with_their_sigmas():
    labels = LABELS | {"annotations": [LABELS["annotations"][0] | {"keypoints": JOINTS[:6]}]}
    assert evaluate(labels, [FOUND | {"keypoints": JOINTS[:6]}], sigmas=[0.1, 0.1])["AP"] == pytest.approx(1)


def test_arguments_stay_as_they_were():
    before = json.dumps([LABELS, FOUND])
    evaluate(LABELS, [FOUND])
    assert json.dumps([LABELS, FOUND]) == before


@pytest.mark.parametrize(
    ("labels", "results", "options", "message"),
    [
        (LABELS, [FOUND | {"image_id": 5}], {}, "results: pose 0: the labels have no image 5"),
        (LABELS, [{"image_id": 1}], {}, "results: pose 0 has no 'category_id'"),
        (
            LABELS,
            [FOUND | {"keypoints": [1, 2, 3]}],
            {},
            r"pose 0: keypoints, .* 17 joints: expected 51 numbers, got \[1, 2, 3\]",
        ),
        (LABELS, {"poses": []}, {}, "results: a list of poses was expected"),
        ({"images": []}, [], {}, "gt: has no 'images'"),
        (LABELS, [FOUND | {"category_id": 2}], {}, "results: none of its poses is of category 1, 'person'"),
        (LABELS, [FOUND | {"score": None}], {}, "pose 0: score: expected a number, got None"),
        (LABELS, [FOUND | {"score": "0.5"}], {}, "pose 0: score: expected a number, got '0.5'"),
        (LABELS, [FOUND | {"keypoints": None}], {}, "pose 0: keypoints"),
        (LABELS, [FOUND | {"keypoints": ["1"] * 51}], {}, "pose 0: keypoints, .* expected 51 numbers"),
        (LABELS, [FOUND], {"kind": "crowdpose"}, "no 'crowdIndex'"),
        (LABELS, [FOUND], {"sigmas": [0.1]}, "the labels have 17 joints, but there are 1 sigmas"),
        (LABELS, [FOUND], {"sigmas": [0.0]}, "above 0; got 0.0"),
    ],
)
def test_what_does_not_fit(labels, results, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(labels, results, **options)


def test_files_are_named_in_messages(tmp_path: Path):
    (tmp_path / "gt.json").write_text("{")
    with pytest.raises(ValueError, match=r"gt\.json: not JSON"):
        evaluate(tmp_path / "gt.json", [])


@pytest.mark.parametrize(
    ("joints", "expected"),
    [
        ([0.1, 0.4, 0.6], 0.5 * 0.5),  # 0.1 does not count
        ([0.1, 0.2, 0.2], 0.0),  # none above 0.2
        ([1.2, 1.2, 1.2], 1.2 * 0.5),
    ],
)
def test_rescored(joints, expected):
    assert rescored(np.array([joints]), np.array([0.5]), 0.2) == pytest.approx([expected])
