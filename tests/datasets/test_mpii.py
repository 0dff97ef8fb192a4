"""MPII's annotation file to records."""

import json
import zipfile

import numpy as np
import pytest
import scipy.io

from paddlepose.datasets import Source, mpii

# By hand: the centre drops by 15 x 2, all loses the 1 of MPII's counting; the square's side is 400, enlarged 500.
ROW = {"image": "a.jpg", "center": [101, 201], "scale": 2, "joints": [[11, 21]] * 16, "joints_vis": [1] * 15 + [0]}


@pytest.fixture
def source(tmp_path):
    """A data set of one person."""

    def make(row=ROW, split="train", **fields):
        (tmp_path / "annot").mkdir(exist_ok=True)
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / "a.jpg").touch()
        (tmp_path / "annot" / f"{split}.json").write_text(row if isinstance(row, str) else json.dumps([row]))
        return Source(tmp_path, split, 1.0, **fields)

    return make


def test_regions_of_the_mini_set_equal_the_golden(golden, real_data, caplog):
    samples = golden("topdown/samples.npz")
    with caplog.at_level("INFO"):
        records = mpii.records(Source(real_data("mpii_mini"), "train", 1.0))
    regions = [record.people[0].region for record in records]
    np.testing.assert_allclose([r.center for r in regions], samples["out__mpii_mini_db_center"], atol=1e-4)
    np.testing.assert_allclose([r.size / 200 for r in regions], samples["out__mpii_mini_db_scale"], atol=1e-6)
    assert caplog.messages == ["=> load 5 samples in 5 pictures"]


def test_joints_of_the_mini_set_equal_the_golden(golden, real_data):
    samples, rows = golden("topdown/samples.npz"), golden("topdown/samples.json")["samples"]
    records = mpii.records(Source(real_data("mpii_mini"), "train", 1.0))
    seen = [row for row in rows if row["dataset"] == "mpii_mini" and row["augment"] is None]
    for row in seen:
        joints = records[row["index"]].people[0].joints
        np.testing.assert_array_equal(joints[:, 2], samples[f"out__joints_vis_{row['n']}"][:, 0])
    assert seen


def test_a_person_by_hand(source, tmp_path):
    (record,) = mpii.records(source())
    (person,) = record.people
    assert (record.id, record.path) == (0, tmp_path / "images" / "a.jpg")
    assert person.region.center.tolist() == [100, 230]
    assert person.region.size.tolist() == [500, 500]
    assert person.box.tolist() == [-100, 30, 400, 400]
    assert person.area == 400 * 400
    assert person.joints[0].tolist() == [10, 20, 1]
    assert person.joints[15].tolist() == [10, 20, 0]


def test_a_person_without_a_centre_is_neither_moved_nor_enlarged(source):
    (record,) = mpii.records(source({**ROW, "center": [-1, 50]}))
    assert record.people[0].region.center.tolist() == [-2, 49]
    assert record.people[0].region.size.tolist() == [400, 400]


def test_a_test_split_has_no_joints_and_no_figures(source, tmp_path):
    row = {key: ROW[key] for key in ("image", "center", "scale")}
    test = source(row, "test")
    assert not mpii.records(test)[0].people[0].joints.any()
    assert mpii.metric(test, tmp_path, None).headline == "Null"


def test_pictures_in_an_archive(source, tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("a.jpg", b"")
    assert mpii.records(source(archive=True))[0].path == tmp_path / "images.zip@" / "a.jpg"


def test_skeleton():
    skeleton = mpii.skeleton(Source(None, "train", 1.0))
    assert skeleton.flip_pairs == ((0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13))
    assert skeleton.upper_body == tuple(range(7, 16))
    assert skeleton.sigmas is None
    assert len(skeleton.limbs) == 15


def test_metric_reads_the_ground_truth_beside_the_labels(source, tmp_path):
    names = "rank rkne rhip lhip lkne lank pelv thor neck head rwri relb rsho lsho lelb lwri".split()
    train = source()
    with pytest.raises(FileNotFoundError, match=r"gt_train\.mat: no such file"):
        mpii.metric(train, tmp_path, None)
    truth = {"dataset_joints": np.array([names], object), "jnt_missing": np.zeros((16, 1), np.uint8)}
    truth |= {"pos_gt_src": np.zeros((16, 2, 1)), "headboxes_src": np.zeros((2, 2, 1))}
    scipy.io.savemat(tmp_path / "annot" / "gt_train.mat", truth)
    assert mpii.metric(train, tmp_path, None).headline == "Mean"


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ("[", ValueError, r"train\.json: not JSON: Expecting value at line 1"),
        ("[]", ValueError, r"train\.json: a list of people was expected"),
        ('{"a": 1}', ValueError, r"train\.json: a list of people was expected"),
        ({k: v for k, v in ROW.items() if k != "scale"}, ValueError, r"train\.json: person 0 has no 'scale'"),
        ({**ROW, "joints": [[1, 2]] * 15}, ValueError, r"train\.json: person 0: joints: expected 32 numbers"),
        ({**ROW, "scale": None}, ValueError, r"train\.json: person 0: scale: expected a number, got None"),
        ({**ROW, "scale": "1"}, ValueError, r"train\.json: person 0: scale: expected a number, got '1'"),
        ({**ROW, "center": None}, ValueError, r"train\.json: person 0: center: expected 2 numbers, got None"),
        ({**ROW, "scale": 0}, ValueError, r"train\.json: nobody has a scale above 0"),
        ({**ROW, "image": None}, ValueError, r"train\.json: person 0: it has no 'file_name'"),
        ("[[1]]", ValueError, r"train\.json: person 0: expected image, center, scale, .*, got \[1\]"),
        ({**ROW, "image": "b.jpg"}, FileNotFoundError, r"b\.jpg: no such picture; 1 of 1 pictures that .*train\.json"),
    ],
)
def test_mistakes_in_the_labels(source, row, error, message):
    with pytest.raises(error, match=message):
        mpii.records(source(row))


def test_joints_that_are_null_are_not_labelled(source):
    joints, seen = [[None, 1], *ROW["joints"][1:]], [*ROW["joints_vis"][:15], None]
    (record,) = mpii.records(source({**ROW, "joints": joints, "joints_vis": seen}))
    assert record.people[0].joints[[0, 15]].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert np.isfinite(record.people[0].joints).all()


def test_people_whose_scale_makes_no_region_are_left_out(source, caplog):
    made = source(json.dumps([{**ROW, "scale": -1}, ROW]))
    assert [record.id for record in mpii.records(made)] == [1]
    assert "1 of 2 people left out: their scale is not above 0" in caplog.text


def test_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such data folder; data/README\.md"):
        mpii.records(Source(tmp_path / "nowhere", "train", 1.0))
