"""PCKh against the reference's figures and against a few people that can be counted by head."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from paddlepose.core.geometry import Region
from paddlepose.core.types import ImageRecord, Person, Poses
from paddlepose.metrics.pckh import Pckh, Truth, pckh

NAMES = tuple("rank rkne rhip lhip lkne lank pelv thor neck head rwri relb rsho lsho lelb lwri".split())
HEAD = np.array([[0.0, 0.0], [30.0, 40.0]])  # diagonal 50, so a head is 30 pixels and half a head 15


def truth_of(people: int) -> Truth:
    """People with every joint at (100, 100) and the head box above."""
    xy = np.full((16, 2, people), 100.0)
    return Truth(NAMES, np.ones((16, people), bool), xy, np.repeat(HEAD[..., None], people, 2))


def record(number: int) -> ImageRecord:
    person = Person(np.zeros((16, 3)), Region(np.zeros(2), np.ones(2)), np.zeros(4), 1.0)
    return ImageRecord(number, Path("a.jpg"), (person,))


def pose(xy: np.ndarray) -> Poses:
    return Poses(xy[None], np.ones((1, 16)), np.ones(1))


@pytest.mark.parametrize("case", ["0", "1"])
def test_figures_equal_the_golden(golden, case):
    arrays = golden("topdown/mpii_eval.npz")
    missing, xy, heads = (arrays[f"in__{name}_{case}"] for name in ("jnt_missing", "pos_gt_src", "headboxes_src"))
    truth = Truth(tuple(arrays["in__dataset_joints"].tolist()), missing == 0, xy, heads)
    figures = pckh(arrays[f"in__preds_{case}"][..., :2].astype(np.float64) + 1, truth)
    expected = golden("topdown/mpii_eval.json")["cases"][case]
    assert list(figures) == list(expected)
    assert figures == pytest.approx(expected, abs=1e-5)


def test_mat_file_of_the_golden_gives_its_figures(golden, tmp_path):
    arrays, expected = golden("topdown/mpii_eval.npz"), golden("topdown/mpii_eval.json")["cases"]["0"]
    folder = Path(__file__).parents[3] / "shared" / "goldens" / "topdown"
    metric = Pckh(tmp_path / "pred.mat", Truth.read(folder / "mpii_eval_gt_valid.mat"))
    for number, joints in reversed(list(enumerate(arrays["in__preds_0"].astype(np.float64)))):
        metric.add(record(number), pose(joints[:, :2]))
    assert metric.compute() == pytest.approx(expected, abs=1e-5)
    assert metric.headline == "Mean"
    written = scipy.io.loadmat(tmp_path / "pred.mat")["preds"]
    np.testing.assert_allclose(written, arrays["in__preds_0"][..., :2] + 1.0, rtol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["pred.mat"]


@pytest.mark.parametrize(
    ("off_by", "mean", "strict"),
    [
        (0.0, 100.0, 100.0),
        (3.3, 100.0, 100.0),  # 0.11 of a head is still a hit of "Mean@0.1"
        (3.4, 100.0, 0.0),
        (15.0, 100.0, 0.0),
        (15.1, 0.0, 0.0),
    ],
)
def test_thresholds(off_by, mean, strict):
    xy = np.full((1, 16, 2), 100.0) + (off_by, 0.0)
    figures = pckh(xy, truth_of(1))
    assert (figures["Mean"], figures["Mean@0.1"]) == pytest.approx((mean, strict))


def test_left_and_right_are_averaged_and_the_mean_is_pooled():
    """Two people, one right wrist unlabelled: the other wrists are 1 of 1 and 1 of 2, and 26 of 27 joints are hit."""
    truth = truth_of(2)
    truth.labelled[NAMES.index("rwri"), 1] = False
    xy = np.full((2, 16, 2), 100.0)
    xy[1, NAMES.index("lwri")] += 50
    xy[:, NAMES.index("pelv")] += 50  # not in the mean
    figures = pckh(xy, truth)
    assert figures["Wrist"] == pytest.approx((100 + 50) / 2)
    assert figures["Mean"] == pytest.approx(100 * 26 / 27)


def test_a_joint_that_nobody_has_counts_nothing():
    truth = truth_of(1)
    truth.labelled[NAMES.index("head")] = False
    figures = pckh(np.full((1, 16, 2), 100.0), truth)
    assert (figures["Head"], figures["Mean"]) == (0.0, 100.0)


def test_other_numbers_of_people_are_an_error():
    with pytest.raises(ValueError, match="1 people with 16 joints were predicted, the ground truth has 2 with 16"):
        pckh(np.zeros((1, 16, 2)), truth_of(2))


def test_a_test_split_is_written_and_not_measured(tmp_path):
    metric = Pckh(tmp_path / "out" / "pred.mat", None)
    metric.add(record(0), pose(np.zeros((16, 2))))
    assert metric.compute() == {"Null": 0.0} == {metric.headline: 0.0}
    np.testing.assert_array_equal(scipy.io.loadmat(tmp_path / "out" / "pred.mat")["preds"], np.ones((1, 16, 2)))


def test_nothing_to_measure(tmp_path):
    with pytest.raises(ValueError, match="no pose to measure"):
        Pckh(tmp_path / "pred.mat", None).compute()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"jnt_missing": np.zeros((16, 1))}, "has no 'dataset_joints'"),
        ({"dataset_joints": np.array([NAMES[:3]], object)}, "'dataset_joints' lacks head, "),
    ],
)
def test_a_mat_file_that_lacks_something(tmp_path, content, message):
    scipy.io.savemat(tmp_path / "gt_valid.mat", content)
    with pytest.raises(ValueError, match=rf"gt_valid\.mat.*{message}"):
        Truth.read(tmp_path / "gt_valid.mat")


def test_a_file_that_is_no_mat_file(tmp_path):
    (tmp_path / "gt_valid.mat").write_text("no numbers at all" * 20)
    with pytest.raises(ValueError, match=r"gt_valid\.mat: "):
        Truth.read(tmp_path / "gt_valid.mat")
