"""A small labelled set, written to disk as the labelling tools write it, in the forms of several of their versions.

People have eight joints, of which some are hidden or not labelled; places have two decimals, as CVAT rounds to.
"""

import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np
import scipy.io
import yaml

JOINTS = "nose tail left_ear right_ear front_left_tip front_right_tip hip_l hip_r".split()
LIMBS = [(0, 1), (0, 2), (0, 3), (1, 6), (1, 7)]
PAIRS = [(2, 3), (4, 5), (6, 7)]
KIND = "bird"


@dataclass
class Labelled:
    """One person: joints (8, 3) x, y, visibility, in pixels, and a box (x, y, width, height)."""

    joints: np.ndarray
    box: np.ndarray


@dataclass
class Picture:
    """An image and its people."""

    name: str
    size: tuple[int, int]
    people: list[Labelled]


def draw_set(count: int = 5, people: int = 2, seed: int = 0, *, all_visible: bool = False) -> list[Picture]:
    """Images of so many people beside each other, the last one with one."""
    rng, made = np.random.default_rng(seed), []
    for i in range(count):
        width, height = 120 + 8 * i, 90
        number = people if i + 1 < count else 1
        boxes = [np.array([4 + k * width / number, 6, width / number - 9, 76]).round(2) for k in range(number)]
        made.append(
            Picture(f"clip{i % 2}_{i:03d}.jpg", (width, height), [_person(rng, box, all_visible) for box in boxes])
        )
    return made


def _person(rng: np.random.Generator, box: np.ndarray, all_visible: bool) -> Labelled:
    points = (box[:2] + (0.05 + 0.9 * rng.random((8, 2))) * box[2:]).round(2)
    seen = np.full(8, 2) if all_visible else rng.choice([0, 1, 2, 2, 2], 8)
    seen[0] = 2
    return Labelled(np.column_stack([points * (seen > 0)[:, None], seen]), box)


def write_images(pictures: Sequence[Picture], folder: Path) -> None:
    """Images of noise."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        cv2.imwrite(str(folder / picture.name), rng.integers(0, 256, (*picture.size[::-1], 3), np.uint8))


def zipped(folder: Path) -> Path:
    """The folder as a zip archive beside it; the folder is removed."""
    path = Path(shutil.make_archive(str(folder), "zip", folder))
    shutil.rmtree(folder)
    return path


def _dump(content: object, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))


def coco_content(pictures: Sequence[Picture], *, first: int = 1, prefix: str = "", **fields: object) -> dict:
    """COCO's format, with other fields in each annotation; one that is `...` is left out."""
    images, rows = [], []
    for i, picture in enumerate(pictures):
        width, height = picture.size
        images.append({"id": i + first, "file_name": prefix + picture.name, "width": width, "height": height})
        for one in picture.people:
            row = {"id": len(rows) + 1, "image_id": i + first, "category_id": 1, "iscrowd": 0, "segmentation": []}
            row |= {"keypoints": one.joints.ravel().tolist(), "num_keypoints": int((one.joints[:, 2] > 0).sum())}
            row |= {"bbox": one.box.tolist(), "area": float(one.box[2:].prod())} | fields
            rows.append({key: value for key, value in row.items() if value is not ...})
    category = {"id": 1, "name": KIND, "keypoints": JOINTS, "skeleton": [[a + 1, b + 1] for a, b in LIMBS]}
    return {"images": images, "annotations": rows, "categories": [category]}


def coco(root: Path, pictures: Sequence[Picture]) -> Path:
    """The usual layout, one file."""
    write_images(pictures, root / "images")
    _dump(coco_content(pictures), root / "annotations" / "keypoints.json")
    return root


def coco_file(root: Path, pictures: Sequence[Picture]) -> Path:
    """One file, named itself; boxes and areas are lacking."""
    write_images(pictures, root / "images")
    _dump(coco_content(pictures, bbox=..., area=..., iscrowd=...), root / "annotations" / "keypoints.json")
    return root / "annotations" / "keypoints.json"


def coco_splits(root: Path, pictures: Sequence[Picture]) -> Path:
    """COCO's own layout: a file and a folder of images for each split; a file of another task lies beside."""
    for split, chosen in (("train2017", pictures[1:]), ("val2017", pictures[:1])):
        write_images(chosen, root / "images" / split)
        content = coco_content(chosen)
        _dump(content, root / "annotations" / f"person_keypoints_{split}.json")
        boxes = [{key: value for key, value in row.items() if "key" not in key} for row in content["annotations"]]
        instances = content | {"annotations": boxes, "categories": [{"id": 1, "name": KIND}]}
        _dump(instances, root / "annotations" / f"instances_{split}.json")
    return root


def roboflow_coco(root: Path, pictures: Sequence[Picture]) -> Path:
    """A file in each split's folder; ids from 0; a first category that is only the set's name."""
    for split, chosen in (("train", pictures[1:]), ("valid", pictures[:1])):
        write_images(chosen, root / split)
        content = coco_content(chosen, first=0)
        top = {"id": 0, "name": "birds", "supercategory": "none"}
        content["categories"] = [top, content["categories"][0] | {"supercategory": "birds"}]
        _dump(content, root / split / "_annotations.coco.json")
    return zipped(root)


def cvat_coco(root: Path, pictures: Sequence[Picture]) -> Path:
    """COCO Keypoints 1.0 with images: boxes are the joints' extent; a track's frame without joints; a box's label."""
    write_images(pictures, root / "images" / "default")
    content = coco_content(pictures, attributes={"occluded": False, "keyframe": False})
    for row in content["annotations"]:
        points = np.reshape(row["keypoints"], (-1, 3))
        shown = points[points[:, 2] > 0, :2]
        row["bbox"] = [*shown.min(0).tolist(), *np.ptp(shown, axis=0).round(2).tolist()]
        row["area"] = row["bbox"][2] * row["bbox"][3]
    empty = {"id": 99, "image_id": 1, "category_id": 1, "segmentation": [], "area": 0, "bbox": [0, 0, 0, 0]}
    empty |= {"iscrowd": 0, "attributes": {"track_id": 0, "keyframe": True}, "keypoints": [], "num_keypoints": 0}
    content["annotations"].append(empty)
    content["categories"] = [
        {"id": 2, "name": "ball", "supercategory": "", "keypoints": [], "skeleton": []},
        content["categories"][0] | {"supercategory": ""},
    ]
    header = {"licenses": [{"name": "", "id": 0, "url": ""}], "info": {"contributor": "", "year": ""}}
    _dump(header | content, root / "annotations" / "person_keypoints_default.json")
    return zipped(root)


def label_studio_coco(root: Path, pictures: Sequence[Picture]) -> Path:
    """One person an image; places rounded to pixels; a category of rectangles first; no area; the folder in names."""
    write_images(pictures, root / "images")
    content = coco_content(pictures, first=0, prefix="images/", area=..., segmentation=..., category_id=1)
    rectangles = []
    for row, picture in zip(content["annotations"], pictures, strict=True):
        points = np.reshape(row["keypoints"], (-1, 3))
        rectangles.append({key: row[key] for key in ("image_id", "bbox", "iscrowd")} | {"ignore": 0, "category_id": 0})
        rectangles[-1] |= {
            "id": len(rectangles) + 100,
            "segmentation": [],
            "area": float(picture.people[0].box[2:].prod()),
        }
        points[:, :2] = points[:, :2].round()
        points[:, 2] = 2 * (points[:, 2] > 0)
        row["keypoints"] = [int(value) for value in points.ravel()]
    joints = {"id": 1, "name": "default", "supercategory": "default", "keypoints": JOINTS, "skeleton": []}
    content["categories"] = [{"id": 0, "name": KIND}, joints]
    content["annotations"] += rectangles
    _dump(content | {"info": {"year": 2025, "version": "1.0", "contributor": "Label Studio"}}, root / "result.json")
    return root


SVG = "".join(
    [
        f'<line x1="1" y1="2" x2="3" y2="4" data-type="edge" data-node-from="{a + 1}" data-node-to="{b + 1}"></line>'
        for a, b in LIMBS
    ]
    + [
        f'<circle r="0.75" cx="1" cy="2" data-type="element node" data-element-id="{i}" data-node-id="{i}" '
        f'data-label-name="{name}"></circle>'
        for i, name in enumerate(JOINTS, 1)
    ]
)


def cvat_meta(*, skeleton: bool, size: tuple[int, int] | None = None) -> str:
    """The head of CVAT's XML: the task and its labels."""
    label = "<label><name>{}</name><color>#ff0000</color><type>{}</type><attributes></attributes>{}</label>"
    parent = f"<parent>{KIND}</parent>" if skeleton else ""
    labels = [label.format(name, "points", parent) for name in JOINTS]
    labels.insert(
        0, label.format(KIND, "skeleton" if skeleton else "rectangle", f"<svg>{escape(SVG)}</svg>" if skeleton else "")
    )
    stated = f"<original_size><width>{size[0]}</width><height>{size[1]}</height></original_size>" if size else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta><task><id>7</id>'
        f"<labels>{''.join(labels)}</labels>{stated}</task><dumped>2025-01-01</dumped></meta>\n"
    )


def _element(name: str, joint: np.ndarray, extra: str = "") -> str:
    x, y, seen = joint
    state = f'outside="{int(seen == 0)}" occluded="{int(seen == 1)}"'
    return f'<points label="{name}" source="manual" {state} points="{x:.2f},{y:.2f}" {extra}></points>'


def _box(one: Labelled, extra: str) -> str:
    x, y, width, height = one.box
    return f'<box xtl="{x:.2f}" ytl="{y:.2f}" xbr="{x + width:.2f}" ybr="{y + height:.2f}" {extra}></box>'


def _cvat_images(root: Path, pictures: Sequence[Picture], shapes: object, meta: str, attributes: str = "") -> None:
    rows = [
        f'<image id="{i}" name="{picture.name}" {attributes} width="{picture.size[0]}" height="{picture.size[1]}">'
        + "".join(shapes(k, one) for k, one in enumerate(picture.people, 1))
        + "</image>"
        for i, picture in enumerate(pictures)
    ]
    root.mkdir(parents=True, exist_ok=True)
    (root / "annotations.xml").write_text(meta + "\n".join(rows) + "</annotations>")


def cvat_skeletons(root: Path, pictures: Sequence[Picture]) -> Path:
    """CVAT for images 1.1 of version 2 and later: skeletons, and a box in the group of each."""

    def shapes(k: int, one: Labelled) -> str:
        joints = "".join(_element(name, joint) for name, joint in zip(JOINTS, one.joints, strict=True))
        skeleton = f'<skeleton label="{KIND}" source="manual" z_order="0" group_id="{k}">{joints}</skeleton>'
        return skeleton + _box(one, f'label="{KIND}" source="manual" occluded="0" z_order="0" group_id="{k}"')

    write_images(pictures, root / "images")
    _cvat_images(root, pictures, shapes, cvat_meta(skeleton=True))
    return zipped(root)


def cvat_project(root: Path, pictures: Sequence[Picture]) -> Path:
    """The same of a project: each image has a subset, in whose folder it lies; no boxes."""

    def shapes(k: int, one: Labelled) -> str:
        joints = "".join(_element(name, joint) for name, joint in zip(JOINTS[::-1], one.joints[::-1], strict=True))
        return f'<skeleton label="{KIND}" source="manual" z_order="0">{joints}</skeleton>'

    write_images(pictures, root / "images" / "default")
    meta = cvat_meta(skeleton=True).replace("task>", "project>")
    _cvat_images(root, pictures, shapes, meta, 'subset="default" task_id="7"')
    return root / "annotations.xml"


def cvat_grouped_points(root: Path, pictures: Sequence[Picture]) -> Path:
    """CVAT for images 1.1 of version 1: a label for each joint, a group for each person, no boxes."""

    def shapes(k: int, one: Labelled) -> str:
        row = '<points label="{}" occluded="{}" annotation_type="manual" points="{:.2f},{:.2f}" group_id="{}"></points>'
        seen = [(name, joint) for name, joint in zip(JOINTS, one.joints, strict=True) if joint[2]]
        return "".join(row.format(name, int(seen == 1), x, y, k) for name, (x, y, seen) in seen)

    write_images(pictures, root / "images")
    _cvat_images(root, pictures, shapes, cvat_meta(skeleton=False))
    return root


def cvat_boxed_points(root: Path, pictures: Sequence[Picture]) -> Path:
    """Points without groups, each in the box of its person."""

    def shapes(k: int, one: Labelled) -> str:
        seen = [(name, joint) for name, joint in zip(JOINTS, one.joints, strict=True) if joint[2]]
        return _box(one, f'label="{KIND}" occluded="0" z_order="0"') + "".join(_element(*pair) for pair in seen)

    write_images(pictures, root / "images")
    _cvat_images(root, pictures, shapes, cvat_meta(skeleton=False))
    return root


def cvat_numbered_points(root: Path, pictures: Sequence[Picture]) -> Path:
    """A shape of several points for each person, all of its joints in order; nothing is hidden."""

    def shapes(k: int, one: Labelled) -> str:
        points = ";".join(f"{x:.2f},{y:.2f}" for x, y, _ in one.joints)
        return f'<points label="{KIND}" source="manual" occluded="0" points="{points}" z_order="0"></points>'

    write_images(pictures, root / "images")
    _cvat_images(root, pictures, shapes, cvat_meta(skeleton=False))
    return root


def cvat_video(root: Path, pictures: Sequence[Picture]) -> Path:
    """CVAT for video 1.1: the images are frames of one size, each person a track that ends."""
    folder = root / "images"
    frames = [Picture(f"frame_{i:06d}.PNG", pictures[0].size, picture.people) for i, picture in enumerate(pictures)]
    write_images(frames, folder)
    tracks = []
    for k in range(len(pictures[0].people)):
        rows = []
        for i, picture in enumerate(pictures):
            if k < len(picture.people):
                joints = zip(JOINTS, picture.people[k].joints, strict=True)
                rows.append((i, "".join(_element(name, joint, 'keyframe="1"') for name, joint in joints)))
        ended = "".join(_element(name, np.zeros(3), 'keyframe="1"') for name in JOINTS)
        skeletons = [f'<skeleton frame="{i}" keyframe="{i % 2}" z_order="0">{row}</skeleton>' for i, row in rows]
        skeletons.append(f'<skeleton frame="{rows[-1][0] + 1}" keyframe="1" z_order="0">{ended}</skeleton>')
        tracks.append(f'<track id="{k}" label="{KIND}" source="manual">{"".join(skeletons)}</track>')
    meta = cvat_meta(skeleton=True, size=pictures[0].size)
    (root / "annotations.xml").write_text(meta + "\n".join(tracks) + "</annotations>")
    return zipped(root)


def _percent(place: Sequence[float], size: tuple[int, int]) -> list[float]:
    return [100 * value / side for value, side in zip(place, size, strict=True)]


def label_studio_result(picture: Picture, people: Sequence[Labelled], *, links: str) -> list[dict]:
    """Regions of an annotation: a rectangle for each person, and its joints, linked as parent, relation or not."""
    width, height = picture.size
    rows = []
    for k, one in enumerate(people):
        common = {"original_width": width, "original_height": height, "image_rotation": 0, "to_name": "image"}
        (x, y), (w, h) = _percent(one.box[:2], picture.size), _percent(one.box[2:], picture.size)
        value = {"x": x, "y": y, "width": w, "height": h, "rotation": 0, "rectanglelabels": [KIND]}
        rows.append(common | {"id": f"box{k}", "type": "rectanglelabels", "from_name": "rect", "value": value})
        for name, (px, py, seen) in zip(JOINTS, one.joints, strict=True):
            if seen:
                x, y = _percent([px, py], picture.size)
                value = {"x": x, "y": y, "width": 0.4, "keypointlabels": [name]}
                row = common | {"id": f"{name}{k}", "type": "keypointlabels", "from_name": "kp", "value": value}
                rows.append(row | ({"parentID": f"box{k}"} if links == "parent" else {}))
                if links == "relation":
                    rows.append({"type": "relation", "from_id": f"box{k}", "to_id": f"{name}{k}", "direction": "right"})
    return rows


def _tasks(pictures: Sequence[Picture], *, links: str, key: str = "annotations", image: str) -> list[dict]:
    return [
        {"id": i, "data": {"image": image.format(picture.name)}, "predictions": []}
        | {
            key: [
                {"id": i, "was_cancelled": False, "result": label_studio_result(picture, picture.people, links=links)}
            ]
        }
        for i, picture in enumerate(pictures, 1)
    ]


def label_studio(root: Path, pictures: Sequence[Picture]) -> Path:
    """JSON of 1.10 and later, where a joint has its rectangle as parent; names as uploaded; one task was skipped."""
    write_images(pictures, root)
    tasks = _tasks(pictures, links="parent", image="/data/upload/3/8f7a2b1c-{}")
    tasks[0]["annotations"].append({"id": 99, "was_cancelled": True, "result": []})
    _dump(tasks, root / "project-3-at-2025-01-01.json")
    return root


def label_studio_relations(root: Path, pictures: Sequence[Picture]) -> Path:
    """JSON in which the regions are linked by relations; local files."""
    write_images(pictures, root / "files")
    _dump(_tasks(pictures, links="relation", image="/data/local-files/?d=files/{}"), root / "export.json")
    return root / "export.json"


def label_studio_old(root: Path, pictures: Sequence[Picture]) -> Path:
    """JSON before 1.0: completions without the image's size; an address; joints lie in their rectangles."""
    write_images(pictures, root / "images")
    tasks = _tasks(pictures, links="none", key="completions", image="https://example.org/images/{}?size=full")
    for task in tasks:
        for row in task["completions"][0]["result"]:
            del row["original_width"], row["original_height"]
    _dump(tasks, root / "completions.json")
    return root


def label_studio_min(root: Path, pictures: Sequence[Picture]) -> Path:
    """JSON-MIN: values of each control in a list, without ids."""
    write_images(pictures, root)
    tasks = []
    for i, picture in enumerate(pictures):
        rows = [row | row["value"] for row in label_studio_result(picture, picture.people, links="none")]
        kept = (
            "x",
            "y",
            "width",
            "height",
            "rotation",
            "rectanglelabels",
            "keypointlabels",
            "original_width",
            "original_height",
        )
        lists = {
            name: [{key: row[key] for key in kept if key in row} for row in rows if row["from_name"] == name]
            for name in ("rect", "kp")
        }
        tasks.append({"image": f"s3://bucket/{picture.name}", "id": i, "annotator": 1} | lists)
    _dump(tasks, root / "min.json")
    return root


def write_yolo_labels(picture: Picture, path: Path, *, columns: int = 3, end: str = "") -> None:
    """A text file of labels, with six decimals."""
    rows = []
    for one in picture.people:
        center = one.box[:2] + one.box[2:] / 2
        numbers = np.concatenate([center / picture.size, one.box[2:] / picture.size])
        joints = [
            f"{x:.6f} {y:.6f}" + f" {int(seen)}" * (columns == 3) for x, y, seen in one.joints / [*picture.size, 1]
        ]
        rows.append(" ".join(["0", *(f"{number:.6f}" for number in numbers), *joints]) + end)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")


def _yolo(root: Path, pictures: Sequence[Picture], images: str, labels: str, **options: object) -> None:
    write_images(pictures, root / images)
    for picture in pictures:
        write_yolo_labels(picture, (root / labels / picture.name).with_suffix(".txt"), **options)


FLIP = [dict(PAIRS + [(b, a) for a, b in PAIRS]).get(i, i) for i in range(8)]


def yolo(root: Path, pictures: Sequence[Picture]) -> Path:
    """Ultralytics with the joints' names, since 8.3; an image without people has no file."""
    _yolo(root, pictures[1:], "images/train", "labels/train")
    _yolo(root, pictures[:1], "images/val", "labels/val")
    write_images([Picture("empty.jpg", (50, 50), [])], root / "images" / "train")
    config = {"path": "../datasets/birds", "train": "images/train", "val": "images/val", "test": None}
    config |= {"kpt_shape": [8, 3], "flip_idx": FLIP, "names": {0: KIND}, "kpt_names": {0: JOINTS}}
    (root / "birds.yaml").write_text(yaml.safe_dump(config))
    return root


def yolo_unnamed(root: Path, pictures: Sequence[Picture]) -> Path:
    """Ultralytics before: two columns a joint, joints have no names; all paths of another machine."""
    _yolo(root, pictures, "images", "labels", columns=2)
    config = {"train": "/home/somebody/birds/images", "val": "/home/somebody/birds/images"}
    (root / "data.yaml").write_text(yaml.safe_dump(config | {"kpt_shape": [8, 2], "flip_idx": FLIP, "names": [KIND]}))
    return root / "data.yaml"


def roboflow_yolo(root: Path, pictures: Sequence[Picture]) -> Path:
    """Roboflow's: images and labels in each split's folder, paths from beside the set."""
    _yolo(root, pictures[1:], "train/images", "train/labels")
    _yolo(root, pictures[:1], "valid/images", "valid/labels")
    config = {"train": "../train/images", "val": "../valid/images", "nc": 1, "names": [KIND], "kpt_shape": [8, 3]}
    (root / "data.yaml").write_text(yaml.safe_dump(config | {"flip_idx": FLIP}))
    return zipped(root)


def cvat_yolo(root: Path, pictures: Sequence[Picture]) -> Path:
    """CVAT's Ultralytics YOLO Pose 1.0: a list of images, no pairs, no names, and the track's number at the end."""
    _yolo(root, pictures, "images/train", "labels/train", end=" 4")
    (root / "train.txt").write_text("".join(f"data/images/train/{picture.name}\n" for picture in pictures))
    config = {"kpt_shape": [8, 3], "names": {0: KIND}, "path": ".", "train": "train.txt"}
    (root / "data.yaml").write_text(yaml.safe_dump(config))
    return zipped(root)


def _labelme_shape(name: str, points: Sequence, kind: str, **fields: object) -> dict:
    return {"label": name, "points": points, "shape_type": kind, "flags": {}} | fields


def _write_labelme(root: Path, picture: Picture, shapes: list[dict], **fields: object) -> None:
    content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": picture.name, "imageData": None}
    content |= {"imageHeight": picture.size[1], "imageWidth": picture.size[0]} | fields
    _dump(content, (root / picture.name).with_suffix(".json"))


def labelme(root: Path, pictures: Sequence[Picture]) -> Path:
    """labelme 5: people by group; a polygon of nobody; the files of labels in a folder of their own."""
    write_images(pictures, root / "images")
    for picture in pictures:
        shapes = [
            _labelme_shape("grass", [[0, 0], [5, 0], [5, 5]], "polygon", group_id=None, description="", mask=None)
        ]
        for k, one in enumerate(picture.people):
            corners = [one.box[:2].tolist(), (one.box[:2] + one.box[2:]).tolist()]
            shapes.append(_labelme_shape(KIND, corners, "rectangle", group_id=k))
            seen = [(name, joint) for name, joint in zip(JOINTS, one.joints.tolist(), strict=True) if joint[2]]
            shapes += [_labelme_shape(name, [[x, y]], "point", group_id=k) for name, (x, y, _) in seen]
        _write_labelme(root / "labels", picture, shapes, imagePath=f"..\\images\\{picture.name}")
    return root


def labelme_old(root: Path, pictures: Sequence[Picture]) -> Path:
    """labelme 3: no groups and no sizes; one person an image, without a rectangle."""
    write_images(pictures, root)
    for picture in pictures:
        joints = zip(JOINTS, picture.people[0].joints.tolist(), strict=True)
        shapes = [
            {"label": name, "points": [[x, y]], "shape_type": "point", "line_color": None, "fill_color": None}
            for name, (x, y, seen) in joints
            if seen
        ]
        _write_labelme(
            root, picture, shapes, version="3.16.7", imageHeight=None, imageWidth=None, lineColor=[0, 255, 0, 128]
        )
    return root


def x_anylabeling(root: Path, pictures: Sequence[Picture]) -> Path:
    """X-AnyLabeling: rectangles of four corners, hidden joints are difficult."""
    write_images(pictures, root)
    for picture in pictures:
        shapes = []
        for k, one in enumerate(picture.people, 1):
            (x, y), (right, bottom) = one.box[:2].tolist(), (one.box[:2] + one.box[2:]).tolist()
            corners = [[x, y], [right, y], [right, bottom], [x, bottom]]
            shapes.append(_labelme_shape(KIND, corners, "rectangle", group_id=k, difficult=False))
            for name, (px, py, seen) in zip(JOINTS, one.joints.tolist(), strict=True):
                if seen:
                    shapes.append(_labelme_shape(name, [[px, py]], "point", group_id=k, difficult=seen == 1))
        _write_labelme(root, picture, shapes, version="2.4.0")
    return root


def mpii(root: Path, pictures: Sequence[Picture]) -> Path:
    """MPII's structure: 16 joints by number, counted from 1 pixel; one person is not an array; a test image is last."""
    write_images(pictures, root / "images")
    images = []
    for picture in pictures:
        people = []
        for one in picture.people:
            points = [
                {"x": x + 1, "y": y + 1, "id": i, "is_visible": "0" if seen == 1 else "1"}
                for i, (x, y, seen) in enumerate(one.joints.tolist())
                if seen
            ]
            points[0]["is_visible"] = np.zeros((0, 0))
            fields = {"x1": 1.0, "y1": 1.0, "x2": 9.0, "y2": 9.0, "scale": 1.0, "objpos": {"x": 20.0, "y": 30.0}}
            people.append(fields | {"annopoints": {"point": _structures(points)}})
        lonely = {"x1": 1.0, "y1": 1.0, "x2": 9.0, "y2": 9.0, "scale": 1.0, "objpos": {"x": 2.0, "y": 3.0}}
        rows = _structures([*people, lonely | {"annopoints": np.zeros((0, 0))}])
        video = {"frame_sec": 3.0, "vididx": float(len(images) // 2)}
        images.append({"image": {"name": picture.name}, "annorect": rows} | video)
    nobody = {
        "image": {"name": "test.jpg"},
        "annorect": np.zeros((0, 0)),
        "frame_sec": np.zeros((0, 0)),
        "vididx": np.zeros((0, 0)),
    }
    release = {
        "annolist": _structures([*images, nobody]),
        "img_train": np.array([1.0] * len(images) + [0.0]),
        "version": "12",
    }
    scipy.io.savemat(root / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": release}, do_compression=True)
    return root


def _structures(rows: Sequence[dict]) -> np.ndarray:
    """A MATLAB array of structures."""
    made = np.zeros((1, len(rows)), [(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        made[0, i] = tuple(row[name] for name in rows[0])
    return made


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    """An archive of members of any name."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path
