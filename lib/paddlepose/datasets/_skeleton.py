"""Skeletons from the names of joints, and what a configuration says otherwise."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from paddlepose.core.nms import SIGMAS
from paddlepose.core.types import Pairs, Skeleton
from paddlepose.plugins import nearest

Overrides = Mapping[str, Sequence[Any]]

KEY = "DATASET.SKELETON"  # where the overrides stand in a configuration
FIELDS = ("joints", "limbs", "flip_pairs", "upper_body", "sigmas", "weights")
SIDES = (("left", "right"), ("l", "r"))
UPPER_BODY = frozenset("nose eye ear mouth head face neck chin jaw thorax chest shoulder elbow wrist hand".split())


def build(
    name: str, joints: Sequence[str], limbs: Pairs, overrides: Overrides, *, sigma: float | None = None
) -> Skeleton:
    """Skeleton with flip pairs and upper body told from the joints' names, then with the fields that `overrides` has.

    The joints of COCO and of CrowdPose are known by their names and get their own limbs, sigmas and weights.
    Others get `name`, `limbs` (pairs of indices) and `sigma`. `overrides` have joints by name and may rename them.

    Raises ValueError: an override names no field or no joint, or has another length than the joints.
    """
    if strangers := [field for field in overrides if field not in FIELDS]:
        raise ValueError(f"{KEY}: no field '{strangers[0]}'{nearest(strangers[0], list(FIELDS))}")
    names = tuple(overrides.get("joints", joints))
    if len(names) != len(joints):
        raise ValueError(f"{KEY}.JOINTS: {len(names)} names, but the labels have {len(joints)} joints")
    sigmas = None if sigma is None else (sigma,) * len(names)
    return _replaced(_KNOWN.get(names) or _described(name, names, limbs, sigmas=sigmas), overrides)


def _described(name: str, joints: tuple[str, ...], limbs: Pairs, **fields: Any) -> Skeleton:
    """What the names of joints tell, with the other fields."""
    upper = (i for i, joint in enumerate(joints) if UPPER_BODY & set(re.split(r"[\W_]", joint.lower())))
    return Skeleton(name, joints, _flip_pairs(joints), limbs, tuple(upper), **fields)


def _flip_pairs(joints: Sequence[str]) -> Pairs:
    """Pairs of joints whose names differ in the side alone: `left_hip` and `right_hip`, `hip_l` and `hip_r`."""
    places = {joint.lower(): i for i, joint in enumerate(joints)}
    twins = ((i, places[twin]) for joint, i in places.items() for twin in _twins(joint) if twin in places)
    return tuple(sorted((min(pair), max(pair)) for pair in set(twins)))


def _twins(joint: str) -> Iterator[str]:
    """Names that a joint's counterpart on the right may have."""
    for left, right in SIDES:
        if joint.startswith(left):
            yield right + joint.removeprefix(left)
        if joint.endswith(left):
            yield joint.removesuffix(left) + right


def _replaced(skeleton: Skeleton, overrides: Overrides) -> Skeleton:
    """The skeleton with the fields of `overrides`, joints turned from names into indices."""
    fields: dict[str, Any] = {title: tuple(overrides[title]) for title in ("sigmas", "weights") if title in overrides}
    if "upper_body" in overrides:
        fields["upper_body"] = _indices("upper_body", overrides["upper_body"], skeleton.joints)
    for title in ("limbs", "flip_pairs"):
        if title in overrides:
            fields[title] = tuple(_pair(title, pair, skeleton.joints) for pair in overrides[title])
    return replace(skeleton, **fields)


def _pair(title: str, names: Sequence[str], joints: tuple[str, ...]) -> tuple[int, int]:
    if isinstance(names, str) or len(names) != 2:
        raise ValueError(f"{KEY}.{title.upper()}: {names!r} is no pair of joint names")
    first, second = _indices(title, names, joints)
    return first, second


def _indices(title: str, names: Sequence[str], joints: tuple[str, ...]) -> tuple[int, ...]:
    for name in names:
        if name not in joints:
            raise ValueError(f"{KEY}.{title.upper()}: no joint named '{name}'{nearest(name, list(joints))}")
    return tuple(joints.index(name) for name in names)


def _both_sides(*parts: str) -> tuple[str, ...]:
    return tuple(f"{side}_{part}" for part in parts for side in ("left", "right"))


_LIMB_PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")

# Limbs as in COCO's annotation files, counted from 0; a joint's weight as in HRNet's loss.
COCO = _described(
    "coco",
    ("nose", *_both_sides("eye", "ear", *_LIMB_PARTS)),
    ((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10))
    + ((1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
    sigmas=SIGMAS["coco"],
    weights=(1.0,) * 7 + (1.2, 1.2, 1.5, 1.5, 1.0, 1.0, 1.2, 1.2, 1.5, 1.5),
)
CROWDPOSE = _described(
    "crowdpose",
    (*_both_sides(*_LIMB_PARTS), "head", "neck"),
    ((12, 13), (13, 0), (13, 1), (0, 1), (0, 6), (1, 7), (6, 7), (0, 2), (2, 4), (1, 3), (3, 5), (6, 8), (8, 10))
    + ((7, 9), (9, 11)),
    sigmas=SIGMAS["crowdpose"],
)
_KNOWN = {skeleton.joints: skeleton for skeleton in (COCO, CROWDPOSE)}
