"""Mini data sets of drawn, exactly labelled people, in the formats of MPII, COCO and CrowdPose (see README.md here).

Coordinates are those of drawn_people.py. A picture depends on (seed, set, split, its number) alone.
"""

import argparse
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io

from drawn_people import ARM, COCO, LEG, SIDES
from drawn_scenes import Person, Size, random_scene

Json = dict[str, Any]

MARKER = "MADE_BY_MAKE_MINI"
SPLITS = {"mpii": ("train", "valid", "test"), "coco": ("train2017", "val2017"), "crowdpose": ("train", "val", "test")}
PICTURES_PER_SPLIT = 1_000_000

CROWDPOSE = (*(f"{side}_{part}" for part in (*ARM, *LEG) for side in SIDES), "head_top", "thorax")
MPII = (
    *(*(f"right_{part}" for part in LEG[::-1]), *(f"left_{part}" for part in LEG)),
    *("pelvis", "thorax", "upper_neck", "head_top"),
    *(*(f"right_{part}" for part in ARM[::-1]), *(f"left_{part}" for part in ARM)),
)
MPII_CELLS = "rank rkne rhip lhip lkne lank pelv thor neck head rwri relb rsho lsho lelb lwri"
COCO_LINKS = "16-14 14-12 17-15 15-13 12-13 6-12 7-13 6-7 6-8 7-9 8-10 9-11 2-3 1-2 1-3 2-4 3-5 4-6 5-7"
CROWDPOSE_LINKS = "13-14 14-1 14-2 1-2 1-7 2-8 7-8 1-3 3-5 2-4 4-6 7-9 9-11 8-10 10-12"


@dataclass(frozen=True)
class Order:
    """What is asked for: training and other pictures of each split, their size (width, height), the seed."""

    train: int
    valid: int
    size: Size
    seed: int


@dataclass(frozen=True)
class Picture:
    """A picture that has been written: its number and file, its people, and the generator to go on with."""

    number: int
    file_name: str
    people: list[Person]
    rng: np.random.Generator


def write_pictures(order: Order, name: str, split: str, pattern: str) -> Iterator[Picture]:
    """Draw the pictures of a split into the files that `pattern`, a path with a %d for the number, names."""
    Path(pattern).parent.mkdir(parents=True, exist_ok=True)
    place, count = SPLITS[name].index(split), order.train if split.startswith("train") else order.valid
    for i in range(count):
        rng = np.random.default_rng([order.seed, list(SPLITS).index(name), place, i])
        image, people = random_scene(rng, name, order.size)
        number = (place + 1) * PICTURES_PER_SPLIT + i
        Path(pattern % number).write_bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1])
        yield Picture(number, Path(pattern % number).name, people, rng)
        if count > 200 and (i + 1) % (count // 10) == 0:
            print(f"{name} {split}: {i + 1} of {count}", file=sys.stderr)


def write_json(path: Path, content: Json | list[Json]) -> None:
    """Write `content` as compact JSON, and the folder for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def hundredths(values: np.ndarray) -> list[Any]:
    """An array as nested lists, rounded to hundredths."""
    return np.round(values.astype(np.float64), 2).tolist()


def xywh(box: np.ndarray) -> list[float]:
    """A box x1 y1 x2 y2 as x, y, width, height."""
    return hundredths(np.concatenate([box[:2], box[2:] - box[:2]]))


def mpii_record(picture: Picture) -> Json:
    """An entry of MPII's json: 1-based pixels, `scale` the person's size / 200, missing joints at -1."""
    joints, state = picture.people[0].named(MPII)
    low, high = picture.people[0].box.reshape(2, 2)
    scale = round(float((high - low).max()) / 200, 6)
    # Whoever reads MPII moves the centre down by 15 scale and enlarges by 1.25 before cutting the person out.
    centre = hundredths((low + high) / 2 + 1 - (0, 15 * scale))
    places = hundredths(np.where(state[:, None] > 0, joints + 1, -1))
    head = {"image": picture.file_name, "scale": scale, "center": centre}
    return head | {"joints_vis": (state > 0).astype(int).tolist(), "joints": places}


def mpii_truth(records: Sequence[Json], head_boxes: Sequence[np.ndarray]) -> bytes:
    """The content of gt_valid.mat for records and head boxes (4,), x1 y1 x2 y2, of the same people."""
    content = {
        "dataset_joints": np.array([MPII_CELLS.split()], dtype=object),
        "jnt_missing": 1 - np.array([record["joints_vis"] for record in records], np.uint8).T,
        "pos_gt_src": np.array([record["joints"] for record in records]).transpose(1, 2, 0),
        "headboxes_src": np.array(head_boxes, np.float64).T.reshape(2, 2, -1) + 1,
    }
    stream = io.BytesIO()
    scipy.io.savemat(stream, content)
    # The description that opens the file would hold the date.
    return b"MATLAB 5.0 MAT-file, written by data/make_mini.py".ljust(116) + stream.getvalue()[116:]


def make_mpii(folder: Path, order: Order) -> None:
    """Write a set in MPII's layout: one person a picture."""
    records, head_boxes = {split: [] for split in SPLITS["mpii"]}, []
    for split in SPLITS["mpii"]:
        for picture in write_pictures(order, "mpii", split, str(folder / "images" / "%09d.jpg")):
            records[split].append(mpii_record(picture))
            head_boxes += [picture.people[0].head_box] if split == "valid" else []
    records["trainval"] = records["train"] + records["valid"]
    records["test"] = [{key: record[key] for key in ("image", "scale", "center")} for record in records["test"]]
    for split, people in records.items():
        write_json(folder / "annot" / f"{split}.json", people)
    (folder / "annot" / "gt_valid.mat").write_bytes(mpii_truth(records["valid"], head_boxes))


def keypoint_record(person: Person, names: Sequence[str]) -> Json:
    """What COCO and CrowdPose both say of a person."""
    joints, state = person.named(names)
    table = np.column_stack([np.where(state[:, None] > 0, joints, 0), state])
    record = {"num_keypoints": int((state > 0).sum()), "iscrowd": 0, "category_id": 1}
    return record | {"keypoints": hundredths(table.ravel()), "bbox": xywh(person.box)}


def visible_outline(person: Person) -> Json:
    """COCO's polygons and area of what can be seen of a person."""
    contours, _ = cv2.findContours(person.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = [contour.ravel().tolist() for contour in contours if len(contour) >= 3]
    return {"segmentation": polygons, "area": float(person.mask.sum())}


def crowd_index(people: Sequence[Person]) -> float:
    """CrowdPose's measure: mean over people of (others' joints in the person's box) / (own joints in it), at most 1."""
    named, shares = [person.named(CROWDPOSE) for person in people], []
    for i, person in enumerate(people):
        low, high = person.box.reshape(2, 2)
        counts = [int((np.all((xy >= low) & (xy <= high), axis=1) & (state > 0)).sum()) for xy, state in named]
        shares.append((sum(counts) - counts[i]) / max(counts[i], 1))
    return round(min(1.0, sum(shares) / max(len(shares), 1)), 2)


def category(names: Sequence[str], links: str) -> Json:
    """The category person: its joints, and the links between them (1-based)."""
    spelt = [{"head_top": "head", "thorax": "neck"}.get(name, name) for name in names]
    skeleton = [[int(end) for end in link.split("-")] for link in links.split()]
    return {"supercategory": "person", "id": 1, "name": "person", "keypoints": spelt, "skeleton": skeleton}


def detections(picture: Picture, people: Sequence[Person], size: Size) -> list[Json]:
    """What a good detector might find: the people's boxes, slightly off, and up to two false ones of low score."""
    rng, found = picture.rng, []
    for person in people:
        jitter = rng.normal(0, 0.02, 4) * np.tile(person.box[2:] - person.box[:2], 2)
        found.append((person.box + jitter, rng.uniform(0.85, 1)))
    for _ in range(rng.integers(3)):
        corners = np.sort(rng.uniform((0, 0), size, (2, 2)), axis=0)
        found.append((corners.ravel(), rng.uniform(0.01, 0.3)))
    common = {"image_id": picture.number, "category_id": 1}
    return [common | {"bbox": xywh(box), "score": round(score, 4)} for box, score in found]


def keypoint_split(order: Order, name: str, split: str, pattern: str) -> tuple[Json, list[Json]]:
    """Write a split's pictures of COCO or CrowdPose; returns its annotations and its detections."""
    names, links = (COCO, COCO_LINKS) if name == "coco" else (CROWDPOSE, CROWDPOSE_LINKS)
    images, annotations, found = [], [], []
    for picture in write_pictures(order, name, split, pattern):
        # Whoever is nearly out of sight goes unlabelled.
        people = [person for person in picture.people if (person.named(names)[1] == 2).sum() >= 3]
        image = {"file_name": picture.file_name, "id": picture.number, "width": order.size[0], "height": order.size[1]}
        images.append(image | ({"crowdIndex": crowd_index(people)} if name == "crowdpose" else {}))
        for i, person in enumerate(people):
            record = keypoint_record(person, names) | {"image_id": picture.number, "id": 10 * picture.number + i}
            annotations.append(record | (visible_outline(person) if name == "coco" else {}))
        found += detections(picture, people, order.size)
    return {"images": images, "annotations": annotations, "categories": [category(names, links)]}, found


def make_coco(folder: Path, order: Order) -> None:
    """Write a set in COCO's layout: one to four people a picture, and detections for the validation pictures."""
    info = {"info": {"description": "mini set drawn by data/make_mini.py"}, "licenses": []}
    for split in SPLITS["coco"]:
        content, found = keypoint_split(order, "coco", split, str(folder / "images" / split / "%012d.jpg"))
        write_json(folder / "annotations" / f"person_keypoints_{split}.json", info | content)
    write_json(folder / "person_detection_results" / "COCO_val2017_detections_AP_H_56_person.json", found)


def make_crowdpose(folder: Path, order: Order) -> None:
    """Write a set in CrowdPose's layout: two to five people a picture, close together."""
    pattern = str(folder / "images" / "%d.jpg")
    splits = {split: keypoint_split(order, "crowdpose", split, pattern)[0] for split in SPLITS["crowdpose"]}
    train, val = splits["train"], splits["val"]
    splits["trainval"] = train | {key: train[key] + val[key] for key in ("images", "annotations")}
    for split, content in splits.items():
        write_json(folder / "json" / f"crowdpose_{split}.json", content)


MAKERS: dict[str, Callable[[Path, Order], None]] = {"mpii": make_mpii, "coco": make_coco, "crowdpose": make_crowdpose}


def make_set(target: Path, order: Order) -> None:
    """Make the set that the folder `target` is named after; the folder appears, or is replaced, when all is written."""
    prefix = f".{target.name}_{MARKER}_"
    # A run that was killed could not clean up.
    for leftover in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=prefix) as beside:
        fresh = Path(beside) / target.name
        fresh.mkdir()
        MAKERS[target.name](fresh, order)
        (fresh / MARKER).write_text("Drawn by data/make_mini.py, which may replace this folder.\n", encoding="utf-8")
        if target.exists():
            target.rename(Path(beside) / "replaced")
        fresh.rename(target)


def _size(text: str) -> Size:
    width, height = (int(side) for side in text.split("x"))
    if min(width, height) < 32:
        raise argparse.ArgumentTypeError(f"{text}: pictures need 32 pixels or more a side")
    return width, height


def _within(lowest: int, highest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(f"{text} is not within {lowest} and {highest}")
        return int(text)

    return number


def _parser() -> argparse.ArgumentParser:
    parser, count = argparse.ArgumentParser(description=__doc__.partition("\n")[0]), _within(1, PICTURES_PER_SPLIT)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"{', '.join(MAKERS)}; all if none is named")
    parser.add_argument("--out", type=Path, default=Path("data"), help="folder in which the sets are made")
    parser.add_argument("--train", type=count, default=15, help="pictures in each training split")
    parser.add_argument("--valid", type=count, default=8, help="pictures in each other split")
    parser.add_argument("--size", type=_size, default=(320, 240), metavar="WIDTHxHEIGHT", help="of the pictures")
    parser.add_argument("--seed", type=_within(0, 2**63 - 1), default=0, help="other seeds, other pictures")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Make the sets that the command line names; 1 if a folder is in the way."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.sets) - set(MAKERS):
        parser.error(f"no such set: {', '.join(sorted(unknown))} (there are {', '.join(MAKERS)})")
    order = Order(arguments.train, arguments.valid, arguments.size, arguments.seed)
    targets = [arguments.out / name for name in dict.fromkeys(arguments.sets or MAKERS)]
    for target in targets:
        if os.path.lexists(target) and not (target / MARKER).is_file():
            print(f"{target} exists and was not made by this script: move it, or name another --out", file=sys.stderr)
            return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    for target in targets:
        make_set(target, order)
        print(f"{target}: {order.train} training and {order.valid} validation pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
