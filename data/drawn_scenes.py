"""Scenes of drawn people: figures and objects before a background, one in front of the other, with exact labels.

Coordinates and colours are those of drawn_people.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from drawn_people import (
    ARM,
    HEAD,
    JOINTS,
    LEG,
    SIDES,
    Colour,
    Figure,
    Shape,
    body_points,
    body_shapes,
    darker,
    random_colour,
    random_figure,
)

Size = tuple[int, int]

# People in a picture, their statures in shares of its shorter side, and tries to find each a place away from others.
SCENES = {
    "mpii": ((1, 1), (0.5, 0.88), (1, 1)),
    "coco": ((1, 4), (0.4, 0.85), (8, 8)),
    "crowdpose": ((2, 5), (0.45, 0.85), (1, 4)),
}
OBJECT = 255


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
