"""COCO's annotation format: what is read as labelled, what is put in its place, and what is refused."""

import copy

import numpy as np
import pytest

from paddlepose.metrics.coco import evaluate
from paddlepose.metrics.labels import read

# One person of two joints: nose at (1, 2), and (3, 8).
LABELS = {
    "images": [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 50}],
    "categories": [{"id": 1, "name": "person", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}],
    "annotations": [
        {"id": 5, "image_id": 7, "category_id": 1, "bbox": [0, 0, 10, 20], "area": 99, "iscrowd": 0}
        | {"keypoints": [1, 2, 2, 3, 8, 1], "segmentation": [[0, 0, 9, 0, 9, 9]]}
    ],
}
JOINTS = [[1, 2, 2], [3, 8, 1]]


def changed(part, **fields):
    """LABELS with other fields in the one entry of a part; one that is `...` is left out."""
    content = copy.deepcopy(LABELS)
    content[part] = [{key: value for key, value in (content[part][0] | fields).items() if value is not ...}]
    return content


def annotation(**fields):
    return changed("annotations", **fields)


def category(**fields):
    return changed("categories", **fields)


@pytest.mark.parametrize(
    ("fields", "attribute", "expected"),
    [
        ({"keypoints": [[1, 2, 2], [3, 8, 1]]}, "joints", JOINTS),
        ({"keypoints": [1, 2, True, 3, 8, 0.9]}, "joints", [[1, 2, 1], [3, 8, 0.9]]),
        ({"keypoints": [1, 2, 2, None, None, 0]}, "joints", [[1, 2, 2], [0, 0, 0]]),
        ({"keypoints": [1, 2, 2, None, 8, 2]}, "joints", [[1, 2, 2], [0, 0, 0]]),
        ({"keypoints": None}, "joints", [[0, 0, 0], [0, 0, 0]]),
        ({"keypoints": []}, "joints", [[0, 0, 0], [0, 0, 0]]),
        ({"keypoints": ...}, "joints", [[0, 0, 0], [0, 0, 0]]),
        ({"bbox": ...}, "box", [0.8, 1.4, 2.4, 7.2]),  # a tenth of their extent around the joints
        ({"bbox": None}, "box", [0.8, 1.4, 2.4, 7.2]),
        ({"bbox": []}, "box", [0.8, 1.4, 2.4, 7.2]),
        ({"area": ...}, "area", 0.53 * 200),
        ({"area": None}, "area", 0.53 * 200),
        ({"area": 0}, "area", 0.53 * 200),  # of every label: it is not known
        ({"iscrowd": None}, "crowd", False),
        ({"iscrowd": ...}, "crowd", False),
        ({"iscrowd": True}, "crowd", True),
        ({"image_id": "7"}, "image", 7),
        ({"image_id": 7.0}, "image", 7),
        ({"category_id": "1"}, "image", 7),
        ({"segmentation": []}, "outline", None),
        ({"segmentation": [[1, 2]]}, "outline", None),
        ({"segmentation": [1, 2, 3, 4, 5, 6]}, "outline", None),
        ({"segmentation": {"size": [9, 9], "counts": [81]}}, "outline", None),  # of another image's size
        ({"segmentation": {"size": [50, 100], "counts": [5000]}}, "outline", {"size": [50, 100], "counts": [5000]}),
    ],
)
def test_what_an_annotation_says(fields, attribute, expected):
    (found,) = read(annotation(**fields)).annotations
    value = getattr(found, attribute)
    assert (
        value == expected if not isinstance(value, np.ndarray) else value.tolist() == pytest.approx(np.array(expected))
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (annotation(keypoints=[1, 2, 3]), r"annotation 5: keypoints, .* expected 6 numbers, got \[1, 2, 3\]"),
        (annotation(keypoints=[1, 2, 2, 3, 8, "1"]), "annotation 5: keypoints, .* expected 6 numbers"),
        (annotation(keypoints=[1, 2, 2, 3, 8, [1]]), "annotation 5: keypoints, .* expected 6 numbers"),
        (annotation(keypoints=[1, 2, 2, 3, 8, 10**400]), "annotation 5: keypoints, .* expected 6 numbers"),
        (annotation(keypoints="none"), "annotation 5: keypoints, .* expected 6 numbers, got 'none'"),
        (annotation(keypoints={"nose": 1}), "annotation 5: keypoints, .* expected 6 numbers"),
        (annotation(bbox=[1, 2, 3]), r"annotation 5: bbox: expected 4 numbers, got \[1, 2, 3\]"),
        (annotation(bbox=[1, 2, 3, None]), "annotation 5: bbox: expected 4 numbers"),
        (annotation(bbox=[1, 2, 3, 1e999]), "annotation 5: bbox: expected 4 numbers"),
        (annotation(area="99"), "annotation 5: area: expected a number, got '99'"),
        (annotation(iscrowd="0"), "annotation 5: iscrowd: expected 0 or 1, got '0'"),
        (annotation(image_id=8), "annotation 5: the labels have no image 8"),
        (annotation(image_id=None), "annotation 5: image_id: expected a number or a text, got None"),
        (annotation(image_id=[7]), r"annotation 5: image_id: expected a number or a text, got \[7\]"),
        (annotation(category_id=...), "annotation 5 has no 'category_id'"),
        (
            category(keypoints=[0, 1]),
            r"category 'person': keypoints: expected a list of the joints' names, got 0",
        ),
        (category(keypoints=["leg", "leg"]), "category 'person': keypoints: several joints are called 'leg'"),
        (category(skeleton=[[1, 2, 3]]), "category 'person': skeleton: expected pairs of the joints' numbers"),
        (category(skeleton=[["nose", "tail"]]), "category 'person': skeleton: expected pairs of the joints' numbers"),
        (category(skeleton=7), "category 'person': skeleton: expected pairs of the joints' numbers"),
        (category(id=...), "gt has no 'id'"),
        (changed("images", id=...), "image 'a.jpg' has no 'id'"),
        (changed("images", file_name=7), "image 7: file_name: expected a text, got 7"),
        (changed("images", width="wide"), "image 7: width and height: expected 2 numbers"),
        (LABELS | {"images": [{"id": 7, "file_name": "a"}, {"id": "7", "file_name": "b"}]}, "also that of 'a'"),
        (LABELS | {"annotations": {"a": 1}}, "'annotations': expected a list of objects"),
        (LABELS | {"images": [1]}, "'images': expected a list of objects"),
    ],
)
def test_what_is_refused(content, message):
    with pytest.raises(ValueError, match=message) as error:
        read(content)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ((0, 1),)),
        ({"skeleton": [[0, 1]]}, ((0, 1),)),
        ({"skeleton": [[1, 2], [2, 3]]}, ((0, 1),)),  # a limb to a joint that there is not is another set's
        ({"skeleton": None}, ()),
        ({"skeleton": ...}, ()),
    ],
)
def test_limbs_count_joints_from_one_or_from_nought(fields, expected):
    labels = read(category(**fields))
    assert labels.category.limbs == expected
    assert bool(labels.notes["limbs, whose joints are counted from 0"]) == (fields == {"skeleton": [[0, 1]]})


BALL = {"id": 2, "name": "ball"}
DOG = {"id": 3, "name": "dog", "keypoints": ["nose", "tail"]}
HAND = {"id": 4, "name": "hand", "keypoints": ["thumb"]}
OF_DOG = annotation(category_id=3)["annotations"]
OF_BALL = annotation(category_id=2, keypoints=...)["annotations"]


@pytest.mark.parametrize(
    ("others", "rows", "wanted", "expected"),
    [
        ([BALL], OF_BALL, (), ("person", 1, 1)),  # a category of boxes before that of people
        ([DOG], [], (), ("person", 1, 0)),  # one that nobody used
        ([DOG], OF_DOG, ("dog",), ("dog", 1, 1)),
        ([DOG], OF_DOG, ("dog", "person"), ("dog", 2, 0)),
    ],
)
def test_which_category_is_read(others, rows, wanted, expected):
    content = LABELS | {"categories": others + LABELS["categories"], "annotations": LABELS["annotations"] + rows}
    labels = read(content, wanted)
    assert (labels.category.name, len(labels.annotations), labels.left_out["of other categories"]) == expected


@pytest.mark.parametrize(
    ("others", "rows", "wanted", "message"),
    [
        (
            [DOG],
            OF_DOG,
            (),
            r"several categories may be meant: 'dog' \(1 people\), 'person' \(1 people\); .* DATASET.CATEGORY",
        ),
        ([DOG], OF_DOG, ("cat",), "DATASET.CATEGORY: no category 'cat'"),
        ([HAND], [], ("hand", "person"), "categories 'hand' and 'person' have different joints"),
    ],
)
def test_a_category_that_must_be_chosen(others, rows, wanted, message):
    content = LABELS | {"categories": others + LABELS["categories"], "annotations": LABELS["annotations"] + rows}
    with pytest.raises(ValueError, match=message):
        read(content, wanted)


def test_images_whose_ids_are_no_numbers_get_one():
    images = [LABELS["images"][0] | {"id": name} for name in ("b", "7", "a")]
    labels = read(LABELS | {"images": images, "annotations": annotation(image_id="a")["annotations"]})
    assert {number: image.id for number, image in labels.images.items()} == {8: "b", 7: "7", 9: "a"}
    assert labels.annotations[0].image == 9


@pytest.mark.parametrize("size", [{"width": ..., "height": ...}, {"width": None}, {"width": 0, "height": 0}])
def test_an_image_of_unknown_size(size):
    assert read(changed("images", **size)).images[7].size is None


@pytest.mark.parametrize(
    "content",
    [
        LABELS,
        annotation(iscrowd=None),
        annotation(keypoints=[[1, 2, 2], [3, 8, 1]]),
        annotation(bbox=None, area=None),
        annotation(num_keypoints=0),
        LABELS
        | {
            "images": [LABELS["images"][0] | {"id": "seven"}],
            "annotations": annotation(image_id="seven")["annotations"],
        },
    ],
)
def test_whatever_is_read_can_be_measured(content):
    """A perfect answer gets a perfect score."""
    image = content["images"][0]["id"]
    found = [{"image_id": image, "category_id": 1, "keypoints": [1, 2, 1, 3, 8, 1], "score": 1.0}]
    assert evaluate(content, found, sigmas=[0.05, 0.05])["AP"] == pytest.approx(1)
