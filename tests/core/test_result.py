"""A result: its people by name and number, and every form that it takes."""

import csv
import io
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlepose.core.result import COLUMNS, Joint, Result, pose_rows
from paddlepose.core.types import Poses, Skeleton

SKELETON = Skeleton("arm", ("nose", "left_wrist", "right_wrist"), flip_pairs=((1, 2),), limbs=((0, 1), (0, 2)))
POSES = Poses(
    np.array([[[1.0, 2], [3, 4], [5, 6]], [[10, 10], [20, 20], [30, 30]]]),
    np.array([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4]]),
    np.array([0.8, 0.5]),
)
BOXES = np.array([[0.0, 0, 10, 10], [5, 5, 30, 30]])
PICTURE = np.zeros((40, 60, 3), np.uint8)


def result(**about):
    return Result(POSES, SKELETON, (60, 40), **{"used": BOXES, "picture": PICTURE, **about})


NOBODY = Result(Poses.empty(3), SKELETON, (60, 40), np.zeros((0, 4)), picture=PICTURE)


def test_arrays_names_and_size():
    found = result()
    assert found.xy is POSES.xy and found.scores is POSES.scores and found.score is POSES.score
    assert found.names == ("nose", "left_wrist", "right_wrist") and found.size == (60, 40)
    assert found.boxes is BOXES and found.ids is None and found.path is None
    assert len(found) == 2 and len(NOBODY) == 0 and list(NOBODY) == []


def test_people_and_their_joints_by_name():
    person = result(ids=np.array([7, 3]))[1]
    assert person["left_wrist"] == Joint(20, 20, 0.5) == (20, 20, 0.5)
    assert (person.id, person.score, person.box.tolist()) == (3, 0.5, [5, 5, 30, 30])
    assert result()[-1].id is None
    with pytest.raises(KeyError, match="no joint 'tail'; there are nose, left_wrist, right_wrist"):
        person["tail"]
    with pytest.raises(IndexError):
        result()[2]


def test_iteration_gives_people_who_unpack_as_poses_do():
    for person, (xy, scores, score) in zip(result(), POSES, strict=True):
        a, b, c = person
        assert (a == xy).all() and (b == scores).all() and c == score


@pytest.mark.parametrize("index", [slice(1, None), [1], np.array([False, True])])
def test_a_part_is_a_result(index):
    part = result(ids=np.array([7, 3]))[index]
    assert (len(part), part.ids.tolist(), part.boxes.tolist()) == (1, [3], [[5, 5, 30, 30]])
    assert part[0]["nose"].x == 10 and part.size == (60, 40)


def test_in_a_line():
    assert repr(result(path=Path("a.jpg"))) == "Result(2 people, 3 joints, 60x40, a.jpg)"
    assert repr(result(path=Path("a.mp4"), frame=5)[:1]) == "Result(1 person, 3 joints, 60x40, a.mp4 frame 5)"
    assert repr(result(ids=np.array([7, 3]))[0]) == "FoundPerson(id 7, score 0.80, box 0 0 10 10)"


def test_without_boxes_they_lie_around_the_joints():
    found = result(used=None)
    assert found.boxes.shape == (2, 4) and (found.boxes[1] == [8, 8, 24, 24]).all()  # a tenth more on each side
    assert "box" not in found.people()[0]
    assert Result(Poses.empty(3), SKELETON, (60, 40)).boxes.shape == (0, 4)


def test_drawing_leaves_the_picture_as_it_was(tmp_path):
    drawn = result().draw()
    assert drawn.shape == PICTURE.shape and drawn.any() and not PICTURE.any()
    assert not result().draw(threshold=0.95).any()
    cv2.imwrite(str(tmp_path / "a.png"), PICTURE)
    assert (result(picture=None, path=tmp_path / "a.png").draw() == drawn).all()


def test_objects_for_json():
    about = {"path": Path("a.mp4"), "frame": 2, "time": 0.08, "ids": np.array([7, 3])}
    found = result(**about).to_dict()
    assert {key: found[key] for key in ("file", "frame", "time", "size")} == {
        "file": "a.mp4",
        "frame": 2,
        "time": 0.08,
        "size": [60, 40],
    }
    keypoints = {"nose": [10.0, 10.0, 0.6], "left_wrist": [20.0, 20.0, 0.5], "right_wrist": [30.0, 30.0, 0.4]}
    assert found["people"][1] == {"id": 3, "score": 0.5, "box": [5.0, 5.0, 30.0, 30.0], "keypoints": keypoints}
    assert json.loads(result(**about).to_json()) == found
    assert set(result().to_dict()) == {"size", "people"}


def test_the_table_of_joints():
    rows = list(csv.reader(io.StringIO(result(path=Path("a, b.jpg")).to_csv())))
    assert rows[0] == list(COLUMNS) == ["file", "frame", "id", "joint", "x", "y", "score"]
    assert rows[1] == ["a, b.jpg", "", "1", "nose", "1.0", "2.0", "0.9"]
    assert len(rows) == 1 + 2 * 3 and rows[-1] == ["a, b.jpg", "", "2", "right_wrist", "30.0", "30.0", "0.4"]
    assert [row[2] for row in csv.reader(io.StringIO(result(ids=np.array([7, 3])).to_csv()))][1::3] == ["7", "3"]
    assert NOBODY.to_csv() == ",".join(COLUMNS) + "\n"


def test_pandas():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = result(path=Path("a.mp4"), frame=4).to_pandas()
    assert isinstance(table, pandas.DataFrame) and list(table) == list(COLUMNS) and len(table) == 6
    assert table.groupby("id").x.max().tolist() == [5, 30] and set(table.frame) == {4}
    assert list(NOBODY.to_pandas()) == list(COLUMNS)


def test_supervision():
    supervision = pytest.importorskip("supervision", reason="supervision is not installed")
    points = result().to_supervision()
    assert np.array_equal(points.xy, POSES.xy.astype(np.float32))
    assert np.allclose(points.keypoint_confidence, POSES.scores) and len(points[points.detection_confidence > 0.6]) == 1
    drawn = supervision.VertexAnnotator(radius=3).annotate(PICTURE.copy(), points)
    assert drawn.any()
    assert len(NOBODY.to_supervision()) == 0


@pytest.mark.parametrize("package", ["pandas", "supervision"])
def test_a_missing_package_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=f"^this needs the package {package}: pip install {package}$"):
        getattr(result(), f"to_{package}")()


def test_rows_of_a_coco_results_file():
    rows = result(path=Path("val/000000000785.jpg")).to_coco()
    assert rows == pose_rows(785, POSES)
    assert rows[0]["keypoints"] == [1, 2, 0.9, 3, 4, 0.8, 5, 6, 0.7] and rows[1]["bbox"] == [10, 10, 20, 20]
    assert [row["image_id"] for row in result().to_coco(5, category_id=2)] == [5, 5]
    with pytest.raises(ValueError, match=r"a.jpg: no number at the end of its name: give image_id"):
        result(path=Path("a.jpg")).to_coco()


@pytest.mark.parametrize("name", ["deep/a.jpg", "a.PNG", "a.json", "a.csv"])
def test_saving(tmp_path, name):
    path = tmp_path / name
    result().save(path)
    if path.suffix == ".json":
        assert json.loads(path.read_text()) == result().to_dict()
    elif path.suffix == ".csv":
        assert path.read_text() == result().to_csv()
    else:
        assert cv2.imread(str(path)).shape == PICTURE.shape


@pytest.mark.parametrize("name", ["a", "a.txt", "a.mp4", "a.jfif"])
def test_saving_to_another_kind_of_file_is_refused(tmp_path, name):
    with pytest.raises(
        ValueError, match=r"expected a name that ends as a picture's, such as .jpg, or in .json or .csv"
    ):
        result().save(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []
