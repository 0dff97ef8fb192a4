"""Single points to people, joints to an order, and the parts of an experiment."""

from pathlib import Path

import numpy as np
import pytest

from paddlepose.datasets._skeleton import COCO
from paddlepose.importers import LeftOut, _experiment, _split
from paddlepose.importers._gather import Body, Box, Point, Sheet, gather, ordered

WHERE = Path("a.jpg")


def point(name, x, owner=None):
    return Point(name, (x, 5.0, 2), owner)


def box(x, width, owner=None, name="bird"):
    return Box(name, (x, 0.0), (width, 10.0), owner)


@pytest.mark.parametrize(
    ("shapes", "wanted", "people", "left"),
    [
        ([point("a", 1), point("b", 9)], (), [{"a": 1, "b": 9}], []),  # all there is
        ([point("a", 1), point("a", 9)], (), [], ["joints of several people"]),
        ([point("a", 1, 0), point("a", 9, 1), point("b", 2, 0)], (), [{"a": 1, "b": 2}, {"a": 9}], []),
        ([point("a", 1), point("a", 21), box(0, 9), box(20, 9)], (), [{"a": 1}, {"a": 21}], []),
        (
            [point("a", 1), point("b", 5), box(0, 9), box(4, 9)],
            (),
            [{"a": 1}],
            ["joints in several boxes", "boxes without"],
        ),
        ([point("a", 5, 0), point("a", 6, 1), box(0, 9, 0), box(4, 9, 1)], (), [{"a": 5}, {"a": 6}], []),
        ([point("a", 1, 0), point("b", 2), box(0, 9, 0)], (), [{"a": 1, "b": 2}], []),  # the box brings them together
        ([point("a", 50), box(0, 9)], (), [], ["joints in no box", "boxes without"]),
        ([point("a", 1, 7), point("a", 2, 7)], (), [{"a": 1}], ["joints that a person already has"]),
        ([point("a", 1), box(0, 9), box(0, 99, name="nest")], ("bird",), [{"a": 1}], ["boxes without"]),
    ],
)
def test_who_a_point_belongs_to(shapes, wanted, people, left):
    left_out = LeftOut()
    bodies = gather(shapes, wanted, left_out, WHERE)
    assert [{name: x for name, (x, _, _) in body.joints.items()} for body in bodies] == people
    reasons = [reason for reason, number in left_out.counts.items() if number]
    assert len(reasons) == len(left) and all(
        reason.startswith(start) for reason, start in zip(reasons, left, strict=True)
    )


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        (["tail", "nose"], ["tail", "nose"]),
        (["right_eye", "left_eye", "nose"], ["nose", "left_eye", "right_eye"]),  # COCO's order
    ],
)
def test_the_order_of_joints(met, expected):
    bodies = [Body({name: (i, i, 2)}) for i, name in enumerate(met)]
    found = ordered("x", [Sheet(WHERE, bodies)], (), LeftOut())
    assert list(found.joints) == expected
    assert [person.joints[:, 2].tolist() for person in found.pictures[0].people] == [
        [2 * (name == one) for name in expected] for one in met
    ]


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([[100, 200]] * 3, (128, 256)),  # 1.25 of the box's area, of its aspect
        ([[10, 10]], (128, 128)),
        ([[1000, 1000], [900, 1100]], (224, 224)),
        ([[400, 100]], (352, 128)),
        ([[100, 200], [200, 100], [100, 200]], (128, 256)),  # the usual one
        ([[0, 100]], (96, 192)),
    ],
)
def test_the_input_has_the_usual_aspect_of_the_boxes(boxes, expected):
    found = _experiment.input_size(np.array([[0, 0, *sides] for sides in boxes], float))
    assert all(side % 32 == 0 for side in found)
    assert found == expected


@pytest.mark.parametrize(
    ("sizes", "share", "held"),
    [
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}, 0.2, 1),
        ({"a": 90, "b": 5, "c": 5}, 0.2, 10),
        ({"a": 9, "b": 1}, 0.01, 1),
        ({"a": 1, "b": 1}, 0.9, 1),
    ],
)
def test_groups_that_hold_a_share(sizes, share, held):
    for seed in range(5):
        chosen = _split._chosen(sizes, share, seed)
        assert sum(sizes[name] for name in chosen) == held


def test_joints_of_coco_keep_their_own_skeleton():
    found = ordered("x", [Sheet(WHERE, [Body(dict.fromkeys(COCO.joints, (1.0, 1.0, 2)))])], (), LeftOut())
    described, why_not = _experiment.skeleton(found)
    assert (described.sigmas, described.flip_pairs, described.limbs, why_not) == (
        COCO.sigmas,
        COCO.flip_pairs,
        COCO.limbs,
        "",
    )
