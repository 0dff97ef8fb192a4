"""How right poses are, by the published code's records; files of them come back or are refused."""

import numpy as np
import pytest

from paddlepose.core.nms import SIGMAS
from paddlepose.datasets._skeleton import COCO, CROWDPOSE
from paddlepose.metrics.matches import Matches, matches

JOINTS = [10.0, 20, 2, 30, 40, 2]
PERSON = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 64, 64], "area": 2000, "keypoints": JOINTS}
FOUND = {"image_id": 1, "category_id": 1, "keypoints": JOINTS, "score": 0.5}


def labels(*people):
    return {"images": [{"id": 1}, {"id": 2}], "categories": [{"id": 1, "name": "person"}], "annotations": list(people)}


@pytest.mark.parametrize("kind", ["coco", "crowdpose"])
def test_golden(golden, kind):
    """Crowds, people without joints, and areas in every range; in the order of the published code."""
    table, wanted = golden(f"bottomup/evaluate_{kind}.json"), golden(f"bottomup/rescore_data_{kind}.npz")
    rows = [
        {"image_id": image["id"], "category_id": 1, "keypoints": np.ravel(pose).tolist(), "score": score}
        for image, poses, scores in zip(
            table["annotations"]["images"], table["predictions"], table["scores"], strict=True
        )
        for pose, score in zip(poses, scores, strict=True)
    ]
    made = matches(table["annotations"], rows, kind, SIGMAS[kind])
    assert np.array_equal(made.xy, wanted["out__poses_xy"])
    assert np.array_equal(made.scores, wanted["out__pose_scores"][..., 0])
    assert np.allclose(made.oks, wanted["out__oks"], atol=1e-9)


def test_likeness_by_range_of_areas():
    """A medium person is met among all and medium people; among large ones nobody counts, so that she is taken."""
    far = PERSON | {"area": 20000, "keypoints": [900.0, 900, 2, 900, 900, 2]}
    assert matches(labels(PERSON), [FOUND], "coco", (0.1, 0.1)).oks.tolist() == [1, 1, 1]
    assert matches(labels(PERSON, far), [FOUND], "coco", (0.1, 0.1)).oks == pytest.approx([1, 1, 0])
    ignored = labels(PERSON | {"iscrowd": 1}, PERSON | {"keypoints": [900.0, 900, 2, 900, 900, 2]})
    assert matches(ignored, [FOUND], "coco", (0.1, 0.1)).oks == pytest.approx([0, 0, 1])


def test_a_person_without_joints_is_a_box_three_times_as_large():
    unlabelled = PERSON | {"keypoints": [0] * 6}
    inside = FOUND | {"keypoints": [-63.0, -63, 1, 127, 127, 1]}
    assert matches(labels(unlabelled), [inside], "coco", (0.1, 0.1)).oks.tolist() == [1, 1, 1]
    outside = FOUND | {"keypoints": [-65.0, -64, 1, 128, 128, 1]}
    one_pixel_off = np.exp(-1 / 0.2**2 / 2000 / 2)
    assert matches(labels(unlabelled), [outside], "coco", (0.1, 0.1)).oks == pytest.approx(
        [(1 + one_pixel_off) / 2] * 3
    )


def test_the_best_twenty_of_a_picture_best_first():
    rows = [FOUND | {"score": i / 100, "keypoints": [float(i)] * 6} for i in range(30)]
    made = matches(labels(PERSON), rows, "coco", (0.1, 0.1))
    assert made.xy[:, 0, 0].tolist() == [29 - i for i in range(20)] * 3


@pytest.mark.parametrize(("people", "rows"), [([], [FOUND]), ([PERSON], []), ([PERSON], [FOUND | {"image_id": 2}])])
def test_pictures_without_people_or_poses(people, rows):
    made = matches(labels(*people), rows, "coco", (0.1, 0.1))
    assert (made.xy.shape, made.scores.shape, made.oks.shape) == ((0, 2, 2), (0, 2), (0,))


def test_a_file_comes_back(tmp_path):
    made = Matches(np.ones((3, 17, 2), np.float32), np.ones((3, 17), np.float32), np.array([0.1, 0.2, 1]))
    made.save(tmp_path / "new" / "data", COCO)
    read = Matches.load(tmp_path / "new" / "data", COCO)
    assert all(np.array_equal(getattr(read, name), getattr(made, name)) for name in ("xy", "scores", "oks"))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["data"]


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "data.npz"
    with pytest.raises(FileNotFoundError, match=r"data\.npz: no such file .* rescore_data writes it"):
        Matches.load(path, COCO)
    Matches(np.ones((1, 14, 2)), np.ones((1, 14)), np.ones(1)).save(path, CROWDPOSE)
    with pytest.raises(ValueError, match=r"data\.npz: poses of 'crowdpose', but the data set is 'coco'"):
        Matches.load(path, COCO)
    Matches(np.ones((0, 17, 2)), np.ones((0, 17)), np.ones(0)).save(path, COCO)
    with pytest.raises(ValueError, match="no pose in it"):
        Matches.load(path, COCO)
    np.savez(path, xy=np.zeros(3))
    with pytest.raises(ValueError, match="there is no 'skeleton'"):
        Matches.load(path, COCO)
    for content in (b"", b"text", b"PK\x03\x04 cut off"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"data\.npz: no arrays that numpy wrote"):
            Matches.load(path, COCO)
    np.save(tmp_path / "pickle.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="no arrays that numpy wrote"):
        Matches.load(tmp_path / "pickle.npy", COCO)
