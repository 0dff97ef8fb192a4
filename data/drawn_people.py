"""Drawn people: jointed figures in random poses and clothes, their named points, and the shapes that draw them.

Coordinates are pixels of the picture, x right, y down, pixel centres at integers, unless a docstring says otherwise.
Colours are BGR, 0..255.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[float, float, float]
Points = dict[str, np.ndarray]

SIDES = ("left", "right")
ARM, LEG = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")
COCO = ("nose", *(f"{side}_{part}" for part in ("eye", "ear", *ARM, *LEG) for side in SIDES))
JOINTS = (*COCO, "pelvis", "thorax", "upper_neck", "head_top")

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
    ("{0}_elbow 24 {0}_wrist 18", "forearm"),
    ("{0}_wrist 21", "band"),
    ("{0}_shoulder 36 {0}_elbow 28", "sleeve"),
    ("{0}_elbow 16", "elbow"),
)
GARMENTS = ("shirt", "sleeve", "trousers", "shoes", "band", "pack")


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
    colours = {name: random_colour(rng, (130, 256), (110, 245)) for name in GARMENTS}
    skin = darker((165, 195, 240), rng.uniform(0.45, 1))
    colours |= {"skin": skin, "shade": darker(skin, 0.75), "eye": (35, 25, 25), "lips": (60, 40, 170)}
    colours["hair"] = darker((90, 160, 220), rng.uniform(0.1, 0.9))
    for limb, garment, patch in (("forearm", "sleeve", "elbow"), ("shin", "trousers", "knee")):
        long = rng.uniform() < 0.5
        colours |= {limb: colours[garment], patch: darker(colours[garment], 0.65)} if long else {limb: skin}
    return colours


def random_figure(rng: np.random.Generator, height: float) -> Figure:
    """A figure of `height` pixels at the origin in a random plausible pose; nine in ten face us."""
    limbs = [(*ARMS[rng.integers(len(ARMS))], *leg) for leg in LEGS[rng.integers(len(LEGS))]]
    first, bend, upper, lower = np.moveaxis(rng.uniform(*np.moveaxis(limbs, -1, 0)).reshape(2, 2, 4), -1, 0)
    tilt, lean, nod = np.radians(np.clip(rng.normal(0, (8, 5, 6)), -20, 20)).tolist()
    return Figure(
        position=np.zeros(2),
        height=height,
        faces_us=rng.uniform() < 0.9,
        tilt=tilt,
        lean=lean,
        nod=nod,
        turn=rng.uniform(-0.6, 0.6),
        angles=np.radians(np.stack([first, first + bend], axis=-1)).reshape(2, 4),
        bones=np.stack([upper, lower], axis=-1).reshape(2, 4) * BONES * rng.uniform(0.94, 1.06, 4),
        colours=random_colours(rng),
    )
