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
_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}
_BETWEEN_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=\D)(?=\d)|(?<=\d)(?=\D)")
UPPER_BODY = frozenset("nose eye ear mouth head face neck chin jaw thorax chest shoulder elbow wrist hand".split())


def build(
    name: str, joints: Sequence[str], limbs: Pairs, overrides: Overrides, *, sigma: float | None = None
) -> Skeleton:
    """Skeleton with flip pairs and upper body told from the joints' names, then with the fields that `overrides` has.

    The joints of COCO and of CrowdPose are known by their names and get their own limbs, sigmas and weights.
    Others get `name`, `limbs` (pairs of indices) and `sigma`. `overrides` have joints by name and may rename them.

    Raises ValueError: an override names no field or no joint, or has another length than the joints; or a joint of
    one side has none of the other side to change places with, and the overrides give no flip pairs.
    """
    if strangers := [field for field in overrides if field not in FIELDS]:
        raise ValueError(f"{KEY}: no field '{strangers[0]}'{nearest(strangers[0], list(FIELDS))}")
    names = tuple(overrides.get("joints", joints))
    if len(names) != len(joints):
        raise ValueError(f"{KEY}.JOINTS: {len(names)} names, but the labels have {len(joints)} joints")
    sigmas = None if sigma is None else (sigma,) * len(names)
    skeleton = _replaced(_KNOWN.get(names) or _described(name, names, limbs, sigmas=sigmas), overrides)
    if "flip_pairs" not in overrides:
        _check_sides(names, skeleton.flip_pairs)
    return skeleton


def _described(name: str, joints: tuple[str, ...], limbs: Pairs, **fields: Any) -> Skeleton:
    """What the names of joints tell, with the other fields."""
    upper = (i for i, joint in enumerate(joints) if UPPER_BODY & set(_words(joint)))
    return Skeleton(name, joints, _flip_pairs(joints), limbs, tuple(upper), **fields)


def _flip_pairs(joints: Sequence[str]) -> Pairs:
    """Pairs of joints whose names differ in the side alone: `left_hip` and `right_hip`, `tip_l_1` and `tip_r_1`."""
    places = {_words(joint): i for i, joint in enumerate(joints)}
    twins = ((i, places[twin]) for words, i in places.items() for twin in _twins(words) if twin in places)
    return tuple(sorted({(min(pair), max(pair)) for pair in twins}))


def _words(joint: str) -> tuple[str, ...]:
    """The words of a joint's name, in lower case: `RHip`, `r_hip` and `r hip` have the same two."""
    return tuple(word.lower() for word in _BETWEEN_WORDS.split(joint) if word)


def _twins(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Names that a joint's counterpart may have: one word says the other side."""
    for i, word in enumerate(words):
        for side, other in _OTHER_SIDE.items():
            if word == side:
                yield (*words[:i], other, *words[i + 1 :])
            elif len(side) > 1 and (word.startswith(side) or word.endswith(side)):  # `lefthip`
                yield (*words[:i], word.replace(side, other), *words[i + 1 :])


def _check_sides(joints: Sequence[str], pairs: Pairs) -> None:
    """Raises ValueError: a joint's name has a side, and there is none of the other side to change places with."""
    paired = {joints[i] for pair in pairs for i in pair}
    if alone := [joint for joint in joints if joint not in paired and _OTHER_SIDE.keys() & set(_words(joint))]:
        hint = f"{KEY}.FLIP_PAIRS names the pairs; [] means that there are none"
        raise ValueError(f"joint '{alone[0]}' has no counterpart on the other side: {hint}")


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
