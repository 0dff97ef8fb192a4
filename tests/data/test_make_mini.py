"""The drawn people carry exact labels, and the mini sets are reproducible, well-formed and never cost anyone's data."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

# The folder is no package: its scripts find each other because a script's own folder is on the path.
sys.path.append(str(Path(__file__).resolve().parents[2] / "data"))

import make_mini
from drawn_people import COCO, JOINTS, Figure, Shape, body_points, random_figure
from drawn_scenes import Person, draw_scene, fill

SIZE = (200, 160)


def generator(seed: int = 0) -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(seed)


def figure(position: tuple[float, float] = (100, 80), seed: int = 0, **changes: object) -> Figure:
    """A figure 110 pixels tall that faces us unless `changes` say otherwise."""
    figure = random_figure(generator(seed), 110.0)
    return replace(figure, **{"position": np.array(position, float), "faces_us": True, **changes})


def state_of(person: Person, name: str) -> int:
    """0 outside or not shown, 1 covered, 2 visible."""
    return int(person.state[JOINTS.index(name)])


def run(out: Path, *options: str, size: str = "96x80") -> int:
    """The command with small pictures."""
    return make_mini.main([*options, "--out", str(out), "--size", size])


def files(folder: Path) -> dict[str, bytes]:
    """Every file's bytes by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read(path: Path) -> object:
    """A JSON file's content."""
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three sets: three training, two other pictures."""
    out = tmp_path_factory.mktemp("sets")
    assert run(out, "--train", "3", "--valid", "2") == 0
    return out


def test_same_seed_same_bytes(sets: Path, tmp_path: Path) -> None:
    run(tmp_path, "--train", "3", "--valid", "2")
    assert files(tmp_path) == files(sets)


def test_other_seed_other_pictures(sets: Path, tmp_path: Path) -> None:
    run(tmp_path, "mpii", "--train", "1", "--valid", "1", "--seed", "1")
    name = "images/001000000.jpg"
    assert files(tmp_path / "mpii")[name] != files(sets / "mpii")[name]


def test_more_pictures_keep_the_first(sets: Path, tmp_path: Path) -> None:
    run(tmp_path, "--train", "4", "--valid", "3")
    few, many = ({n: b for n, b in files(out).items() if n.endswith(".jpg")} for out in (sets, tmp_path))
    assert few.items() < many.items()
    train = "mpii/annot/train.json"
    assert read(tmp_path / train)[:3] == read(sets / train)


@pytest.mark.parametrize(("faces_us", "sign"), [(True, 1), (False, -1)])
def test_left_is_on_the_right_of_whoever_faces_us(faces_us: bool, sign: int) -> None:
    for seed in range(20):
        points = body_points(figure(seed=seed, faces_us=faces_us))
        for part in ("shoulder", "hip", "ear", "eye"):
            assert sign * (points[f"left_{part}"][0] - points[f"right_{part}"][0]) > 0


def test_mirrored_figure_is_the_mirrored_picture_with_sides_swapped() -> None:
    original = figure(seed=3)
    signs = {name: -getattr(original, name) for name in ("tilt", "lean", "nod", "turn")}
    mirrored = replace(
        original,
        position=original.position * (-1, 1),
        angles=original.angles[::-1],
        bones=original.bones[::-1],
        **signs,
    )
    swapped = body_points(mirrored)
    for name, point in body_points(original).items():
        side = {"left": "right", "right": "left"}.get(name.split("_")[0])
        twin = name if side is None else f"{side}_{name.split('_')[1]}"
        assert swapped[twin] == pytest.approx(point * (-1, 1), abs=1e-9)


def test_shapes_land_where_they_are_said_to_be() -> None:
    image = np.zeros((40, 50), np.uint8)
    fill(image, Shape(np.array([[20.3, 15.8]]), np.array([6.0]), (0, 0, 0)).polygon(), 255)
    rows, columns = np.nonzero(image)
    weights = image[rows, columns].astype(float)
    assert np.average(columns, weights=weights) == pytest.approx(20.3, abs=0.1)
    assert np.average(rows, weights=weights) == pytest.approx(15.8, abs=0.1)


def test_joints_lie_on_the_drawn_body() -> None:
    drawn = figure(seed=1)
    image, (person,) = draw_scene(generator(), SIZE, [drawn])
    assert (person.state == 2).all()
    for name, garment in (("left_wrist", "band"), ("right_ankle", "shin"), ("left_eye", "eye")):
        x, y = np.round(person.joints[JOINTS.index(name)]).astype(int)
        assert image[y, x] == pytest.approx(np.array(drawn.colours[garment]), abs=40), name
    inner = [JOINTS.index(name) for name in COCO]
    columns, rows = np.round(person.joints[inner]).astype(int).T
    assert person.mask[rows, columns].all()


def test_joints_outside_are_unlabelled() -> None:
    _, (person,) = draw_scene(generator(), SIZE, [figure((100, 130))])
    inside = ((person.joints >= 0) & (person.joints <= np.array(SIZE) - 1)).all(axis=1)
    assert not inside.all()
    assert (person.state > 0).tolist() == inside.tolist()
    assert person.box[3] == SIZE[1] - 1


def test_face_is_not_labelled_from_behind() -> None:
    _, (person,) = draw_scene(generator(), SIZE, [figure(faces_us=False)])
    assert [state_of(person, name) for name in ("nose", "left_eye", "right_eye", "left_ear")] == [0, 0, 0, 2]


def test_covered_joints_by_object_and_by_person() -> None:
    behind, before = figure((100, 80)), figure((101, 80))
    ball = Shape(body_points(before)["left_wrist"][None], np.array([4.0]), (0, 0, 0))
    _, (hidden, visible) = draw_scene(generator(), SIZE, [behind, before], [ball])
    assert state_of(hidden, "pelvis") == 1
    assert state_of(visible, "pelvis") == 2
    assert state_of(visible, "left_wrist") == 1


@pytest.mark.parametrize(("distance", "expected"), [(0, 1.0), (150, 0.0)])
def test_crowd_index(distance: float, expected: float) -> None:
    _, people = draw_scene(generator(), (400, 160), [figure((100, 80)), figure((100 + distance, 80))])
    assert make_mini.crowd_index(people) == expected


def test_mpii_frames_the_whole_person(sets: Path) -> None:
    for person in read(sets / "mpii/annot/trainval.json"):
        joints = np.array(person["joints"])[np.array(person["joints_vis"]) > 0]
        half = 200 * 1.25 * person["scale"] / 2
        centre = np.array(person["center"]) + (0, 15 * person["scale"])
        assert np.abs(joints - centre).max() < half


def test_mpii_truth_is_that_of_valid(sets: Path) -> None:
    annot = sets / "mpii/annot"
    people, truth = read(annot / "valid.json"), scipy.io.loadmat(annot / "gt_valid.mat")
    names = [cell[0] for cell in truth["dataset_joints"][0]]
    assert (names[0], names[9], names[15], len(names)) == ("rank", "head", "lwri", 16)
    assert truth["jnt_missing"].shape == (16, 2)
    assert truth["headboxes_src"].shape == (2, 2, 2)
    assert (truth["headboxes_src"][1] > truth["headboxes_src"][0]).all()
    np.testing.assert_array_equal(truth["pos_gt_src"].transpose(2, 0, 1), [person["joints"] for person in people])
    np.testing.assert_array_equal(1 - truth["jnt_missing"].T, [person["joints_vis"] for person in people])
    assert all(set(person) == {"image", "center", "scale"} for person in read(annot / "test.json"))


@pytest.mark.parametrize(
    ("annotations", "images", "num_joints", "num_images"),
    [
        ("coco/annotations/person_keypoints_train2017.json", "coco/images/train2017", 17, 3),
        ("coco/annotations/person_keypoints_val2017.json", "coco/images/val2017", 17, 2),
        ("crowdpose/json/crowdpose_trainval.json", "crowdpose/images", 14, 5),
        ("crowdpose/json/crowdpose_test.json", "crowdpose/images", 14, 2),
    ],
)
def test_keypoint_files(sets: Path, annotations: str, images: str, num_joints: int, num_images: int) -> None:
    content = read(sets / annotations)
    assert len(content["images"]) == num_images
    assert len(content["categories"][0]["keypoints"]) == num_joints
    assert np.max(content["categories"][0]["skeleton"]) == num_joints
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    for image in content["images"]:
        assert cv2.imread(str(sets / images / image["file_name"])).shape == (80, 96, 3)
    for person in content["annotations"]:
        x, y, width, height = person["bbox"]
        assert min(x, y, *(np.array(sizes[person["image_id"]]) - (x + width, y + height))) >= 0
        visibility = np.array(person["keypoints"]).reshape(num_joints, 3)[:, 2]
        assert person["num_keypoints"] == (visibility > 0).sum()


def test_detections_follow_the_boxes(sets: Path) -> None:
    people = read(sets / "coco/annotations/person_keypoints_val2017.json")["annotations"]
    (file,) = (sets / "coco/person_detection_results").iterdir()
    good = [box for box in read(file) if box["score"] > 0.5]
    assert [box["image_id"] for box in good] == [person["image_id"] for person in people]
    for box, person in zip(good, people, strict=True):
        assert box["bbox"] == pytest.approx(person["bbox"], abs=0.15 * max(person["bbox"][2:]))


def test_foreign_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    treasure = tmp_path / "mpii" / "images" / "real.jpg"
    treasure.parent.mkdir(parents=True)
    treasure.write_text("real")
    assert run(tmp_path) == 1
    assert files(tmp_path) == {"mpii/images/real.jpg": b"real"}
    assert capsys.readouterr().err.count("\n") == 1


def test_own_folder_is_replaced(tmp_path: Path) -> None:
    for count in ("3", "2"):
        assert run(tmp_path, "mpii", "--train", count, "--valid", "1") == 0
    assert len(read(tmp_path / "mpii/annot/train.json")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mpii"]


def test_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(folder: Path, order: object) -> None:
        (folder / "half").write_text("made")
        raise KeyboardInterrupt

    monkeypatch.setitem(make_mini.MAKERS, "mpii", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "mpii")
    assert list(tmp_path.iterdir()) == []


def test_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    command = [sys.executable, make_mini.__file__, "mpii", "--out", "sets", "--train", "100000"]
    out = tmp_path / "sets"
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not any(out.glob(".mpii_*/mpii/images/*")):
            time.sleep(0.05)
        process.kill()
    others = {".mpii_mine", f".coco_{make_mini.MARKER}_half"}
    for name in others:
        (out / name).mkdir()
    assert len(list(out.iterdir())) == 3
    assert run(out, "mpii", "--train", "1", "--valid", "1") == 0
    assert {path.name for path in out.iterdir()} == {"mpii", *others}


@pytest.mark.parametrize("options", [["mpi"], ["--train", "0"], ["--size", "320"], ["--size", "8x8"], ["--seed", "-1"]])
def test_impossible_wishes(tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(SystemExit):
        make_mini.main(["--out", str(tmp_path / "out"), *options])
    assert not (tmp_path / "out").exists()
