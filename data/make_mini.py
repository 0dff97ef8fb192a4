"""Mini data sets of drawn, exactly labelled people, in the formats of MPII, COCO and CrowdPose (see README.md here).

Coordinates are pixels of the picture, x right, y down, pixel centres at integers, unless a docstring says otherwise.
Colours are BGR, 0..255. A picture depends on (seed, set, split, its number) alone.
"""

import argparse
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io

Colour = tuple[float, float, float]
Json = dict[str, Any]
Points = dict[str, np.ndarray]
Size = tuple[int, int]

MARKER = "MADE_BY_MAKE_MINI"
SPLITS = {"mpii": ("train", "valid", "test"), "coco": ("train2017", "val2017"), "crowdpose": ("train", "val", "test")}
PICTURES_PER_SPLIT = 1_000_000
# People in a picture, their statures in shares of its shorter side, and tries to find each a place away from others.
SCENES = {
    "mpii": ((1, 1), (0.5, 0.88), (1, 1)),
    "coco": ((1, 4), (0.4, 0.85), (8, 8)),
    "crowdpose": ((2, 5), (0.45, 0.85), (1, 4)),
}
OBJECT = 255

SIDES = ("left", "right")
ARM, LEG = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")
COCO = ("nose", *(f"{side}_{part}" for part in ("eye", "ear", *ARM, *LEG) for side in SIDES))
CROWDPOSE = (*(f"{side}_{part}" for part in (*ARM, *LEG) for side in SIDES), "head_top", "thorax")
JOINTS = (*COCO, "pelvis", "thorax", "upper_neck", "head_top")
MPII = (
    *(*(f"right_{part}" for part in LEG[::-1]), *(f"left_{part}" for part in LEG)),
    *("pelvis", "thorax", "upper_neck", "head_top"),
    *(*(f"right_{part}" for part in ARM[::-1]), *(f"left_{part}" for part in ARM)),
)
MPII_CELLS = "rank rkne rhip lhip lkne lank pelv thor neck head rwri relb rsho lsho lelb lwri"
COCO_LINKS = "16-14 14-12 17-15 15-13 12-13 6-12 7-13 6-7 6-8 7-9 8-10 9-11 2-3 1-2 1-3 2-4 3-5 4-6 5-7"
CROWDPOSE_LINKS = "13-14 14-1 14-2 1-2 1-7 2-8 7-8 1-3 3-5 2-4 4-6 7-9 9-11 8-10 10-12"

# Ranges, degrees and shares: first bone from straight down, outwards positive; bend of the second against the first;
# what is left of the two bones' lengths as they point towards or away from the viewer.
HANG, RAISE, REACH, AKIMBO, FOLD = (
    ((5, 28), (-8, 25), (0.9, 1), (0.85, 1)),
    ((105, 165), (-10, 50), (0.9, 1), (0.85, 1)),
    ((50, 100), (-30, 80), (0.9, 1), (0.85, 1)),
    ((38, 58), (-105, -80), (0.9, 1), (0.9, 1)),
    ((12, 30), (-115, -70), (0.9, 1), (0.85, 1)),
)
STAND, STRIDE, SPREAD, LIFT, SEAT = (
    ((1, 8), (-6, 3), (0.95, 1), (0.95, 1)),
    ((8, 22), (-16, 0), (0.9, 1), (0.85, 1)),
    ((15, 30), (-14, 4), (0.95, 1), (0.95, 1)),
    ((5, 25), (-30, -5), (0.6, 0.8), (0.8, 1)),
    ((25, 50), (-50, -20), (0.45, 0.65), (0.9, 1)),
)
ARMS = (HANG, HANG, RAISE, REACH, AKIMBO, FOLD)
LEGS = ((STAND, STAND), (STAND, STAND), (STRIDE, STRIDE), (STRIDE, LIFT), (SPREAD, SPREAD), (SEAT, SEAT))
# Upper arm, forearm, thigh, shin and head in statures.
BONES, HEAD = (0.165, 0.15, 0.235, 0.235), 0.165

# Parts from back to front: circles (point, radius in thousandths of the stature) whose hull is the part, its colour.
LEG_PARTS = (
    ("{0}_ankle 22 {0}_toe 25", "shoes"),
    ("{0}_knee 32 {0}_ankle 20", "shin"),
    ("{0}_hip 50 {0}_knee 35", "trousers"),
    ("{0}_knee 20", "knee"),
)
TRUNK_PARTS = (
    ("thorax 30 upper_neck 28", "shade"),
    ("left_hip 48 right_hip 48 left_waist 40 right_waist 40", "trousers"),
    ("left_shoulder 30 right_shoulder 30 left_waist 42 right_waist 42", "shirt"),
    *(("left_ear 16", "shade"), ("right_ear 16", "shade")),
)
FRONT_PARTS = (
    *(("crown 54", "hair"), ("chin 45 cheek 51", "skin"), ("left_eye 9", "eye"), ("right_eye 9", "eye")),
    *(("nose 11 bridge 6", "shade"), ("left_lip 6 right_lip 6", "lips")),
)
BACK_PARTS = (("left_strap 20 right_strap 20 left_pack 20 right_pack 20", "pack"), ("chin 45 crown 54", "hair"))
ARM_PARTS = (
    ("{0}_wrist 19 {0}_fingers 22", "skin"),
    ("{0}_elbow 24 {0}_wrist 18", "sleeve"),
    ("{0}_shoulder 36 {0}_elbow 28", "shirt"),
    ("{0}_elbow 16", "elbow"),
)


@dataclass(frozen=True)
class Figure:
    """A person to draw: where the body is, how it is bent, what it wears.

    `position` (2,) is the pelvis, `height` the stature in pixels. Angles are radians: `tilt` turns the whole body,
    `lean` the upper body, `nod` the head, clockwise; `turn` in (-1, 1) is the sine of the turn about the vertical.
    `angles` (2, 4) of upper arm, forearm, thigh, shin from straight down, outwards positive, on the image's left and
    right side; `bones` (2, 4) their lengths in statures. `colours` by garment; a part without a colour is not drawn.
    """

    position: np.ndarray
    height: float
    faces_us: bool
    tilt: float
    lean: float
    nod: float
    turn: float
    angles: np.ndarray
    bones: np.ndarray
    colours: dict[str, Colour]


@dataclass(frozen=True)
class Shape:
    """The hull of circles with `centres` (n, 2) and `radii` (n,), in pixels, in one colour."""

    centres: np.ndarray
    radii: np.ndarray
    colour: Colour

    def polygon(self, margin: float = 0.0) -> np.ndarray:
        """Corners (m, 2) of the hull, all circles larger by `margin` pixels."""
        turns = np.arange(24) * (2 * np.pi / 24)
        circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
        points = self.centres[:, None] + (self.radii[:, None, None] + margin) * circle
        return cv2.convexHull(points.reshape(-1, 2).astype(np.float32))[:, 0]


@dataclass(frozen=True)
class Person:
    """The labels of a drawn person.

    `joints` (21, 2) in the order of JOINTS; `state` (21,): 0 outside the picture or not shown (a face from behind),
    1 covered by something, 2 visible. `box` (of the whole body, within the picture) and `head_box` (4,) are corners
    x1 y1 x2 y2; `mask` (H, W) bool is the part of the body that can be seen.
    """

    joints: np.ndarray
    state: np.ndarray
    box: np.ndarray
    head_box: np.ndarray
    mask: np.ndarray

    def named(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Joints (K, 2) and state (K,) of the named joints."""
        chosen = [JOINTS.index(name) for name in names]
        return self.joints[chosen], self.state[chosen]


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


def turned(angle: float, vectors: np.ndarray | Sequence[float]) -> np.ndarray:
    """Vectors (..., 2) turned clockwise by `angle` radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(vectors) @ np.array([[cos, sin], [-sin, cos]])


def _head_points(figure: Figure, neck: np.ndarray) -> Points:
    turn, left = figure.turn, 1 if figure.faces_us else -1
    # In head lengths from the upper neck.
    places = {"head_top": (0, -1), "crown": (0, -0.67), "chin": (0, -0.27), "cheek": (0.03 * turn, -0.5)}
    places |= {"nose": (0.2 * turn, -0.4), "bridge": (0.18 * turn, -0.5)}
    for side, sign in zip(SIDES, (left, -left), strict=True):
        places |= {f"{side}_eye": (0.15 * sign + 0.15 * turn, -0.56), f"{side}_ear": (0.35 * sign, -0.5)}
        places[f"{side}_lip"] = (0.09 * sign + 0.14 * turn, -0.2)
    return {name: neck + turned(figure.lean + figure.nod, HEAD * np.array(place)) for name, place in places.items()}


def _side_points(figure: Figure, side: int) -> Points:
    """Points on the image's left (-1) or right (1) in statures from the pelvis, before the tilt."""
    row, lean, across = (side + 1) // 2, figure.lean, side * np.sqrt(1 - figure.turn**2)
    angles = figure.angles[row] - np.array([side * lean, side * lean, 0, 0])
    steps = figure.bones[row][:, None] * np.stack([side * np.sin(angles), np.cos(angles)], axis=1)
    shoulder, hip = turned(lean, [0.118 * across, -0.295]), np.array([0.07 * across, 0.0])
    elbow, knee = shoulder + steps[0], hip + steps[2]
    wrist, ankle = elbow + steps[1], knee + steps[3]
    points = dict(zip((*ARM, *LEG), (shoulder, elbow, wrist, hip, knee, ankle), strict=True))
    points |= {"fingers": wrist + 0.2 * steps[1], "toe": ankle + np.array([0.02 * side, 0.035])}
    corners = {"waist": (0.06, -0.06), "strap": (0.075, -0.27), "pack": (0.075, -0.13)}
    return points | {name: turned(lean, [x * across, y]) for name, (x, y) in corners.items()}


def body_points(figure: Figure) -> Points:
    """All named points (2,) of a body: the joints and what else is needed to draw it."""
    neck = turned(figure.lean, [0, -0.365])
    points = {"pelvis": np.zeros(2), "thorax": turned(figure.lean, [0, -0.31]), "upper_neck": neck}
    points |= _head_points(figure, neck)
    for side in (-1, 1):
        # Whoever faces us has the left hand on the right of the picture.
        name = "left" if (side == 1) == figure.faces_us else "right"
        points |= {f"{name}_{part}": point for part, point in _side_points(figure, side).items()}
    placed = figure.position + figure.height * turned(figure.tilt, np.stack(list(points.values())))
    return dict(zip(points, placed, strict=True))


def body_shapes(figure: Figure) -> list[Shape]:
    """The shapes of a dressed body, from back to front."""
    points, scale = body_points(figure), figure.height / 1000
    legs, arms = (
        [(row.format(side), *rest) for side in SIDES for row, *rest in part] for part in (LEG_PARTS, ARM_PARTS)
    )
    shapes = []
    for circles, garment in (*legs, *TRUNK_PARTS, *(FRONT_PARTS if figure.faces_us else BACK_PARTS), *arms):
        if garment in figure.colours:
            names, radii = circles.split()[::2], circles.split()[1::2]
            centres = np.stack([points[name] for name in names])
            shapes.append(Shape(centres, scale * np.array(radii, float), figure.colours[garment]))
    return shapes


def darker(colour: Colour, factor: float) -> Colour:
    """The colour with its brightness multiplied by `factor`."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def random_colour(rng: np.random.Generator, saturation: tuple[int, int], brightness: tuple[int, int]) -> Colour:
    """A colour of any hue, saturation and brightness (0..255) from the ranges."""
    hsv = np.uint8([[[rng.integers(180), rng.integers(*saturation), rng.integers(*brightness)]]])
    blue, green, red = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


def random_colours(rng: np.random.Generator) -> dict[str, Colour]:
    """Colours of clothes, skin and hair; long sleeves and trouser legs get a patch on elbow and knee."""
    colours = {name: random_colour(rng, (130, 256), (110, 245)) for name in ("shirt", "trousers", "shoes", "pack")}
    skin = darker((165, 195, 240), rng.uniform(0.45, 1))
    colours |= {"skin": skin, "shade": darker(skin, 0.75), "eye": (35, 25, 25), "lips": (60, 40, 170)}
    colours["hair"] = darker((90, 160, 220), rng.uniform(0.1, 0.9))
    for limb, garment, patch in (("sleeve", "shirt", "elbow"), ("shin", "trousers", "knee")):
        long = rng.uniform() < 0.5
        colours |= {limb: colours[garment], patch: darker(colours[garment], 0.65)} if long else {limb: skin}
    return colours


def random_figure(rng: np.random.Generator, height: float) -> Figure:
    """A figure of `height` pixels at the origin in a random plausible pose; 85 % face us."""
    limbs = [(*ARMS[rng.integers(len(ARMS))], *leg) for leg in LEGS[rng.integers(len(LEGS))]]
    first, bend, upper, lower = np.moveaxis(rng.uniform(*np.moveaxis(limbs, -1, 0)).reshape(2, 2, 4), -1, 0)
    tilt, lean, nod = np.radians(np.clip(rng.normal(0, (8, 5, 6)), -20, 20)).tolist()
    return Figure(
        position=np.zeros(2),
        height=height,
        faces_us=rng.uniform() < 0.85,
        tilt=tilt,
        lean=lean,
        nod=nod,
        turn=rng.uniform(-0.6, 0.6),
        angles=np.radians(np.stack([first, first + bend], axis=-1)).reshape(2, 4),
        bones=np.stack([upper, lower], axis=-1).reshape(2, 4) * BONES * rng.uniform(0.94, 1.06, 4),
        colours=random_colours(rng),
    )


def fill(image: np.ndarray, polygon: np.ndarray, colour: Colour | int, line: int = cv2.LINE_AA) -> None:
    """Fill a convex polygon (m, 2) of `image` in place, corners exact to 1/16 of a pixel."""
    cv2.fillConvexPoly(image, np.round(polygon * 16).astype(np.int32), colour, line, shift=4)


def background(rng: np.random.Generator, size: Size) -> np.ndarray:
    """A muted texture (H, W, 3) uint8 of smooth noise, perhaps stripes, and clutter."""
    picture = np.full((size[1], size[0], 3), random_colour(rng, (0, 90), (60, 220)), np.float32)
    for cells, strength in ((3, 35), (24, 10)):
        noise = rng.normal(0, strength, (cells, cells, 1)) + rng.normal(0, strength / 4, (cells, cells, 3))
        picture += cv2.resize(noise.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    if rng.uniform() < 0.4:
        across = np.stack(np.meshgrid(*map(np.arange, size)), axis=-1) @ rng.normal(0, 0.2, 2)
        picture += 12 * np.sign(np.sin(across))[..., None].astype(np.float32)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(1, 7)):
        centres = rng.uniform((0, 0), size) + rng.uniform(-0.25, 0.25, (rng.integers(1, 5), 2)) * min(size)
        clutter = Shape(centres, np.full(len(centres), rng.uniform(0.02, 0.12) * min(size)), (0, 0, 0))
        fill(picture, clutter.polygon(), random_colour(rng, (0, 100), (40, 230)))
    return picture


def random_object(rng: np.random.Generator, figure: Figure) -> Shape:
    """A ball or box over a random limb joint of the figure."""
    ball, joint = rng.uniform() < 0.5, f"{rng.choice(SIDES)}_{rng.choice((*ARM, *LEG))}"
    corners = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * (0 if ball else rng.uniform(0.03, 0.09, 2))
    centres = body_points(figure)[joint] + figure.height * (corners + rng.normal(0, 0.02, 2))
    return Shape(
        centres, np.full(4, (0.075 if ball else 0.01) * figure.height), random_colour(rng, (60, 256), (60, 240))
    )


def paint(image: np.ndarray, owner: np.ndarray, shapes: Sequence[Shape], number: int) -> None:
    """Paint shapes with dark rims into `image`, and `number` into the map `owner` (H, W), in place."""
    for shape in shapes:
        thickness = float(shape.radii.max())
        if thickness > 2:
            fill(image, shape.polygon(max(0.8, 0.1 * thickness)), darker(shape.colour, 0.4))
        fill(image, shape.polygon(), shape.colour)
        fill(owner, shape.polygon(), number, cv2.LINE_8)


def label(figure: Figure, owner: np.ndarray, number: int) -> Person:
    """Labels of figure `number` in a picture whose pixels belong to the numbers in `owner` (H, W)."""
    points, last = body_points(figure), np.array(owner.shape[::-1]) - 1
    joints = np.stack([points[name] for name in JOINTS])
    columns, rows = np.clip(np.round(joints), 0, last).astype(int).T
    state = np.where(owner[rows, columns] > number, 1, 2) * np.all((joints >= 0) & (joints <= last), axis=1)
    if not figure.faces_us:
        state[[JOINTS.index(name) for name in ("nose", "left_eye", "right_eye")]] = 0
    body = np.concatenate([shape.polygon() for shape in body_shapes(figure)])
    skull = np.array([0.27, 0.33]) * HEAD * figure.height
    head = Shape(np.stack([points["chin"], points["crown"]]), skull, (0, 0, 0)).polygon()
    box, head_box = (np.concatenate([outline.min(axis=0), outline.max(axis=0)]) for outline in (body, head))
    return Person(joints, state, np.clip(box, 0, np.tile(last, 2)), head_box, owner == number)


def draw_scene(
    rng: np.random.Generator, size: Size, figures: Sequence[Figure], objects: Sequence[Shape] = ()
) -> tuple[np.ndarray, list[Person]]:
    """A picture (H, W, 3) uint8 BGR of `size` (width, height) and its people, each figure in front of those before it.

    The objects are in front of all. `rng` chooses nothing but the background and the grain.
    """
    image, owner = background(rng, size), np.zeros(size[::-1], np.uint8)
    for number, figure in enumerate(figures, 1):
        paint(image, owner, body_shapes(figure), number)
    paint(image, owner, objects, OBJECT)
    image = np.clip(image + 3 * rng.standard_normal(image.shape, np.float32), 0, 255).astype(np.uint8)
    return image, [label(figure, owner, number) for number, figure in enumerate(figures, 1)]


def spread_out(rng: np.random.Generator, figures: Sequence[Figure], size: Size, tries: int) -> list[Figure]:
    """The figures at random places, farther from each other with more `tries`, those farther down the picture last."""
    done, taken = [], [np.full(2, -1e6)]
    for figure in figures:
        points = np.stack(list(body_points(figure).values()))
        low, high = points.min(axis=0) - 0.04 * figure.height, points.max(axis=0) + 0.04 * figure.height
        shrink = min(1.0, *(0.99 * np.array(size) / (high - low)))
        spots = rng.uniform(-low * shrink, size - high * shrink, (tries, 2))
        distance = np.linalg.norm((spots[:, None] - np.stack(taken)) * (2, 1), axis=2).min(axis=1)
        # Every eighth or so may be cut by the border.
        slip = rng.normal(0, 0.15 * figure.height, 2) * (rng.uniform() < 0.12)
        taken.append(spots[distance.argmax()] + slip)
        done.append(replace(figure, position=taken[-1], height=figure.height * shrink))
    return sorted(done, key=lambda figure: figure.position[1] + 0.5 * figure.height)


def random_scene(rng: np.random.Generator, name: str, size: Size) -> tuple[np.ndarray, list[Person]]:
    """A picture for the set `name` with random people, about every sixth partly covered by an object."""
    (fewest, most), statures, tries = SCENES[name]
    heights = rng.uniform(*statures, rng.integers(fewest, most, endpoint=True)) * min(size)
    figures = [random_figure(rng, height) for height in heights]
    figures = spread_out(rng, figures, size, rng.integers(*tries, endpoint=True))
    return draw_scene(rng, size, figures, [random_object(rng, figure) for figure in figures if rng.uniform() < 0.17])


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
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}_") as beside:
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
