"""`paddlepose import`: what it makes beside the joints, what it leaves out and says, and what it refuses."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest
import tool_exports as tools
from tiny_data import write_jpeg

from paddlepose.commands import main
from paddlepose.config import load_config
from paddlepose.datasets import coco
from paddlepose.metrics.labels import read


@pytest.fixture
def run(tmp_path, capsys):
    """`run(path, *options)`: the exit status, what was said, and for each split the images' names."""

    def run_import(path, *options, out="set"):
        folder = tmp_path / out
        status = main(["import", str(path), "--out", str(folder), *options])
        said = capsys.readouterr()
        files = (folder / "annotations").glob("*.json")
        splits = {file.stem: sorted(image.file_name for image in read(file).images.values()) for file in files}
        return status, said.out + said.err, splits

    return run_import


def changed(path, change):
    """A JSON file changed in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_set_that_trains(run, tmp_path):
    """The experiment loads, and its data set reads what was written, images and all."""
    status, said, splits = run(tools.coco(tmp_path / "export", tools.draw_set()))
    assert (status, {split: len(names) for split, names in splits.items()}) == (0, {"train": 4, "val": 1})
    config = load_config(tmp_path / "set" / "set.yaml")
    assert [len(coco.records(config.source(train=train))) for train in (True, False)] == [4, 1]
    skeleton = coco.skeleton(config.source(train=True))
    assert (list(skeleton.joints), list(skeleton.flip_pairs), list(skeleton.limbs)) == (
        tools.JOINTS,
        tools.PAIRS,
        tools.LIMBS,
    )
    assert f"paddlepose train --cfg {tmp_path}/set/set.yaml" in said
    assert "COCO: 'bird' with 8 joints" in said


def test_originals_stay_as_they_are(run, tmp_path):
    root = tools.coco(tmp_path / "export", tools.draw_set())
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}
    assert run(root)[0] == 0
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "set"]


def test_images_are_copied_where_they_cannot_be_linked(run, tmp_path, monkeypatch):
    def refuse(*names, **options):
        raise OSError("another disk")

    monkeypatch.setattr(os, "link", refuse)
    root = tools.coco(tmp_path / "export", tools.draw_set())
    assert run(root)[0] == 0
    for path in (root / "images").iterdir():
        copy = tmp_path / "set" / "images" / path.name
        assert (copy.read_bytes(), copy.stat().st_nlink) == (path.read_bytes(), 1)


def test_nothing_is_overwritten_and_nothing_half_done_is_left(run, tmp_path, monkeypatch):
    root = tools.coco(tmp_path / "export", tools.draw_set())
    (tmp_path / "set").mkdir()
    status, said, _ = run(root)
    assert (status, list((tmp_path / "set").iterdir())) == (1, [])
    assert "--out" in said and "is there already" in said

    def fail(*names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fail)
    monkeypatch.setattr(os, "link", fail)
    status, said, _ = run(root, out="other")
    assert status == 1 and "other was not written: No space left on device" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "set"]


@pytest.mark.parametrize(
    ("write", "options", "val"),
    [
        (tools.coco_splits, (), ["clip0_000.jpg"]),  # as the export has it
        (tools.yolo, (), ["clip0_000.jpg"]),
        (tools.coco_splits, ("--val", "0.4"), None),
        (tools.coco, ("--group-by", "clip\\d"), ["clip1_001.jpg", "clip1_003.jpg"]),
        (
            tools.coco,
            ("--group-by", "clip\\d", "--val", "0.6", "--seed", "1"),
            ["clip0_000.jpg", "clip0_002.jpg", "clip0_004.jpg"],
        ),
    ],
)
def test_splits(run, tmp_path, write, options, val):
    _, _, splits = run(write(tmp_path / "export", tools.draw_set()), *options)
    names = [one.name for one in tools.draw_set()]
    assert sorted(splits["train"] + splits["val"]) == sorted(names)
    assert len(splits["val"]) == 2 if val is None else splits["val"] == val


def test_frames_of_one_of_mpiis_videos_stay_together(run, tmp_path):
    pictures = tools.draw_set(count=8)
    _, _, splits = run(tools.mpii(tmp_path / "export", pictures), "--val", "0.4")
    videos = {picture.name: i // 2 for i, picture in enumerate(pictures)}
    train, val = ({videos[name] for name in splits[split]} for split in ("train", "val"))
    assert train and val and train.isdisjoint(val)


def test_a_seed_gives_the_same_split_wherever_the_export_lies(run, tmp_path):
    pictures = tools.draw_set(count=12)
    splits = [
        run(tools.coco(tmp_path / place, pictures), "--seed", seed, out=out)[2]
        for place, seed, out in [("a", "3", "x"), ("b/c", "3", "y"), ("d", "4", "z")]
    ]
    assert splits[0] == splits[1] != splits[2]


def test_folders_as_groups_and_names_that_several_images_have(run, tmp_path):
    content = {}
    for i, folder in enumerate(("one", "two", "three")):
        chosen = tools.draw_set(count=2, seed=i)
        tools.write_images(chosen, tmp_path / "export" / folder)
        own = tools.coco_content(chosen, first=2 * i, prefix=f"{folder}/")
        content = own | {key: content.get(key, []) + own[key] for key in ("images", "annotations")}
    (tmp_path / "export" / "labels.json").write_text(json.dumps(content))
    _, _, splits = run(tmp_path / "export", "--group-by", "folder", "--val", "0.4")
    (folder,) = {name.split("_")[0] for name in splits["val"]}
    assert splits["val"] == [f"{folder}_clip0_000.jpg", f"{folder}_clip1_001.jpg"]
    assert len(splits["train"]) == 4


def test_images_for_testing_stay_that(run, tmp_path):
    root = tools.coco_splits(tmp_path / "export", tools.draw_set())
    (root / "annotations" / "person_keypoints_val2017.json").rename(root / "annotations" / "person_keypoints_test.json")
    _, _, splits = run(root, "--val", "0.3")
    assert splits["test"] == ["clip0_000.jpg"] and len(splits["val"]) == 1 and len(splits["train"]) == 3


def test_images_of_train_that_are_those_of_val_are_split(run, tmp_path):
    _, said, splits = run(tools.yolo_unnamed(tmp_path / "export", tools.draw_set()))
    assert {split: len(names) for split, names in splits.items()} == {"train": 4, "val": 1}
    assert "5 images that two splits have" in said


@pytest.mark.parametrize(
    ("write", "flip", "pairs", "said"),
    [
        (
            tools.coco,
            True,
            [["left_ear", "right_ear"], ["front_left_tip", "front_right_tip"], ["hip_l", "hip_r"]],
            "not paired: nose, tail",
        ),
        (
            tools.yolo_unnamed,
            True,
            [["joint_3", "joint_4"], ["joint_5", "joint_6"], ["joint_7", "joint_8"]],
            "pairs: joint_3 and",
        ),
        (tools.cvat_yolo, False, [], "FLIP is off: the joints have no names that say left and right"),
    ],
)
def test_pairs(run, tmp_path, write, flip, pairs, said):
    text = run(write(tmp_path / "export", tools.draw_set()))[1]
    dataset = load_config(tmp_path / "set" / "set.yaml").dataset
    assert (dataset.flip, [list(pair) for pair in dataset.skeleton.flip_pairs]) == (flip, pairs)
    assert said in text


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["left_eye", *"abcdefg"], "FLIP is off: joint 'left_eye' has no counterpart on the other side"),
        (list("12345678"), "FLIP is off: the joints have no names that say left and right"),
    ],
)
def test_joints_whose_mirror_image_is_not_known_are_not_mirrored(run, tmp_path, names, said):
    root = tools.coco(tmp_path / "export", tools.draw_set())
    changed(root / "annotations" / "keypoints.json", lambda content: content["categories"][0].update(keypoints=names))
    assert said in run(root)[1]
    config = load_config(tmp_path / "set" / "set.yaml")
    assert not config.dataset.flip
    assert coco.skeleton(config.source(train=True)).flip_pairs == ()


def test_what_is_left_out_is_said_with_its_reason(run, tmp_path):
    pictures = tools.draw_set(count=8)
    root = tools.coco(tmp_path / "export", pictures)
    (root / "images" / pictures[0].name).unlink()
    (root / "images" / pictures[1].name).write_bytes(b"no image")
    cv2.imwrite(str(root / "images" / pictures[2].name), np.zeros((10, 20, 3), np.uint8))

    def spoil(content):
        content["annotations"][6]["keypoints"] = [0] * 24  # one of two people of image 3
        content["annotations"] = [row for row in content["annotations"] if row["image_id"] != 5]

    changed(root / "annotations" / "keypoints.json", spoil)
    _, said, splits = run(root)
    assert sum(map(len, splits.values())) == 4
    for line in (
        "1 images that are missing: clip0_000.jpg",
        "1 images that cannot be read: clip1_001.jpg",
        "1 images whose labels are for another size: clip0_002.jpg 20x10, not 136x90",
        "1 people without joints: clip1_003.jpg",
        "1 images without people: clip0_004.jpg",
    ):
        assert f"left out: {line}" in said


def test_boxes_and_areas_that_lack_are_taken_from_the_joints(run, tmp_path):
    pictures = tools.draw_set()
    said = run(tools.labelme_old(tmp_path / "export", pictures))[1]
    assert "5 boxes taken from the joints" in said
    for split in ("train", "val"):
        for row in json.loads((tmp_path / "set" / "annotations" / f"{split}.json").read_text())["annotations"]:
            assert row["area"] == pytest.approx(0.53 * row["bbox"][2] * row["bbox"][3], abs=0.1)
            assert row["bbox"][0] >= 0 and row["bbox"][1] >= 0


# Orientation of the file, how the tool's export gives its size, and whether the image can be used.
TURNS = [(6, True), (8, True), (3, False), (2, False)]


@pytest.mark.parametrize(("orientation", "usable"), TURNS)
@pytest.mark.parametrize(
    "write", [tools.label_studio, tools.labelme, tools.cvat_skeletons, tools.yolo, tools.label_studio_coco]
)
def test_labels_on_an_image_that_is_turned_by_its_exif_data(run, tmp_path, write, orientation, usable):
    """The file stays as it is, and is read upright where its size shows that the labels are on the upright image."""
    pictures = tools.draw_set(count=3, people=1)
    size = pictures[0].size
    stored = size if orientation < 5 else size[::-1]
    path = write(tmp_path / "export", pictures)
    if path.suffix == ".zip":
        shutil.unpack_archive(path, tmp_path / "export")
        path = tmp_path / "export"
    (image,) = path.rglob(pictures[0].name)
    write_jpeg(image, np.zeros((stored[1], stored[0], 3), np.uint8), orientation=orientation)
    if write is tools.label_studio_coco:  # it gives the size as stored
        changed(path / "result.json", lambda content: content["images"][0].update(width=stored[0], height=stored[1]))
    _, said, splits = run(path, "--val", "0.3")
    assert (pictures[0].name in splits["train"] + splits["val"]) == usable
    assert ("left out: 1 images that their EXIF data turn" in said) == (not usable)
    for split in splits:
        labels = read(tmp_path / "set" / "annotations" / f"{split}.json")
        assert {image.size for image in labels.images.values() if image.file_name == pictures[0].name} <= {size}
    assert not usable or (tmp_path / "set" / "images" / pictures[0].name).read_bytes() == image.read_bytes()


def test_several_categories(run, tmp_path):
    root = tools.coco(tmp_path / "export", tools.draw_set())

    def add(content):
        content["categories"].append(content["categories"][0] | {"id": 2, "name": "owl"})
        content["annotations"][0]["category_id"] = 2

    changed(root / "annotations" / "keypoints.json", add)
    status, said, _ = run(root)
    assert status == 1 and "'bird' (8 people), 'owl' (1 people); choose with --category" in said
    assert run(root, "--category", "bird")[0] == 0
    assert "left out: 1 annotations of other categories" in run(root, "--category", "bird", out="again")[1]


def test_several_labels_in_other_tools(run, tmp_path):
    """A rectangle of a thing that holds joints of people is not taken for a person, if it is told what to take."""
    root = tools.labelme(tmp_path / "export", tools.draw_set())
    for path in (root / "labels").glob("*.json"):
        ball = {"label": "ball", "points": [[0, 0], [200, 200]], "shape_type": "rectangle", "group_id": None}
        changed(path, lambda content, ball=ball: content["shapes"].append(ball))
    _, said, _ = run(root)
    assert "left out: 5 boxes without joints" in said
    for path in (root / "labels").glob("*.json"):
        changed(path, lambda content: [shape.update(group_id=None) for shape in content["shapes"]])
    status, said, _ = run(root, out="loose")
    assert status == 1 and "joints in several boxes, grouped with none" in said
    assert run(root, "--category", "bird", out="chosen")[0] == 0
    status, said, _ = run(root, "--category", "cat", out="cat")
    assert status == 1


def test_people_whom_label_studios_coco_export_makes_one(run, tmp_path):
    root = tools.label_studio_coco(tmp_path / "export", tools.draw_set(people=1))
    changed(
        root / "result.json", lambda content: content["annotations"].append(content["annotations"][-1] | {"id": 999})
    )
    said = run(root)[1]
    assert "left out: 1 images of several people, whom Label Studio's COCO export makes one: export JSON" in said


def test_sigmas_of_people_who_labelled_the_same_images(run, tmp_path):
    """Two annotations of each task that differ by noise of a known share of the person's scale."""
    pictures, rng, sigma = tools.draw_set(count=40, people=1, all_visible=True), np.random.default_rng(0), 0.04
    root = tools.label_studio(tmp_path / "export", pictures)

    def label_again(tasks):
        for task, picture in zip(tasks, pictures, strict=True):
            (one,) = picture.people
            scale = np.sqrt(0.53 * one.box[2:].prod())
            noise = rng.normal(0, sigma * scale, (8, 2))  # the difference of two labels with sigma / sqrt(2) in x and y
            other = tools.Labelled(one.joints + np.pad(noise, ((0, 0), (0, 1))), one.box)
            result = tools.label_studio_result(picture, [other], links="parent")
            task["annotations"].append({"id": 1000, "was_cancelled": False, "result": result})

    changed(next(root.glob("*.json")), label_again)
    assert "sigmas of those who labelled the same images" in run(root)[1]
    config = load_config(tmp_path / "set" / "set.yaml")
    assert np.mean(config.dataset.skeleton.sigmas) == pytest.approx(sigma, rel=0.15)
    labels = [read(tmp_path / "set" / "annotations" / f"{split}.json") for split in ("train", "val")]
    assert sum(len(one.annotations) for one in labels) == 40  # the others' labels are not people of their own


def test_the_labels_marked_as_true_are_taken(run, tmp_path):
    pictures = tools.draw_set(count=2, people=1)
    root = tools.label_studio(tmp_path / "export", pictures)

    def mark(tasks):
        other = tools.Labelled(pictures[1].people[0].joints + [1, 0, 0], pictures[1].people[0].box)
        result = tools.label_studio_result(pictures[1], [other], links="parent")
        tasks[1]["annotations"].append({"id": 7, "ground_truth": True, "result": result})

    changed(next(root.glob("*.json")), mark)
    run(root)
    rows = [json.loads((tmp_path / "set" / "annotations" / f"{split}.json").read_text()) for split in ("train", "val")]
    found = {one["images"][0]["file_name"]: one["annotations"][0]["keypoints"][0] for one in rows}
    assert found[pictures[1].name] == pytest.approx(pictures[1].people[0].joints[0, 0] + 1, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--val", "0"), "--val 0.0: expected a share between 0 and 1"),
        (("--val", "nan"), "--val nan: expected a share between 0 and 1"),
        (("--group-by", "("), "--group-by (: expected 'folder' or a regular expression"),
        (("--group-by", "video"), "--group-by video: does not match the start of 'clip0_000.jpg'"),
        (("--group-by", "folder"), "at least two groups of images are needed"),
        (("--category", "cat"), "--category: no category 'cat'"),
    ],
)
def test_options_that_cannot_be(run, tmp_path, options, message):
    status, said, _ = run(tools.coco(tmp_path / "export", tools.draw_set()), *options)
    assert status == 1 and message in said and "Traceback" not in said
    assert not (tmp_path / "set").exists()


def test_what_is_not_known(run, tmp_path):
    assert "nowhere: no such file or folder" in run(tmp_path / "nowhere")[1]
    tools.write_images(tools.draw_set(), tmp_path / "images")
    status, said, _ = run(tmp_path / "images")
    assert (
        status == 1 and "holds no labels of a form that is known: COCO, CVAT XML, Label Studio, labelme, MPII" in said
    )
    tools.coco(tmp_path / "both", tools.draw_set())
    tools.labelme(tmp_path / "both", tools.draw_set())
    status, said, _ = run(tmp_path / "both")
    assert status == 1 and "holds labels of several forms: COCO (keypoints.json) and labelme" in said
    assert run(tmp_path / "both" / "annotations" / "keypoints.json")[0] == 0
