"""Detectors of other projects: their forms are known by inputs and outputs, and their boxes are read as they say."""

import cv2
import numpy as np
import pytest

from paddlepose.core.detectors import MultiPose, Node, Yolox, detector

PICTURE = np.random.default_rng(0).integers(0, 256, (120, 200, 3)).astype(np.uint8)

FORMS = {
    "yolox": ([("images", [1, 3, 64, 96])], [("output", [1, 126, 85])], Yolox),
    "yolox, any batch and size": ([("images", ["b", 3, None, None])], [("output", ["b", "n", 85])], Yolox),
    "dets": ([("input", [1, 3, 416, 416])], [("dets", [1, "n", 5]), ("labels", [1, "n"])], Yolox),
    "multipose": ([("input", [1, None, None, 3])], [("Identity:0", [1, 6, 56])], MultiPose),
}


def nodes(pairs):
    return [Node(*pair) for pair in pairs]


@pytest.mark.parametrize(("inputs", "outputs", "kind"), FORMS.values(), ids=FORMS)
def test_the_form_tells_the_detector(inputs, outputs, kind):
    found = detector(lambda image: [], nodes(inputs), nodes(outputs))
    assert isinstance(found, kind)


def test_the_input_size_of_yolox_is_the_files():
    inputs, outputs, _ = FORMS["yolox"]
    assert detector(lambda image: [], nodes(inputs), nodes(outputs)).size == (96, 64)


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([("x", [1, 3, 64, 64])], [("y", [1, 17, 16, 16])]),
        ([("x", [1, 3, 64, 64]), ("z", [1])], [("y", [1, 84, 85])]),
        ([("x", [1, 1, 64, 64])], [("y", [1, 84, 85])]),
        ([("x", [1, 3])], [("y", [1])]),
    ],
)
def test_another_form_is_refused_with_the_known_ones(inputs, outputs):
    with pytest.raises(ValueError, match=r"x \[1, .*of no detector known here: expected .*paddlepose export.*YOLOX"):
        detector(lambda image: [], nodes(inputs), nodes(outputs))


def test_raw_heads_are_read_by_their_strides():
    """A person written into the heads, as the paper says, comes out; another class and a lower box do not."""
    size, heads = (96, 64), np.zeros((96 // 8 * 8 + 6 * 4 + 3 * 2, 7), np.float32)

    def write(stride, column, row, box, scores):
        offset = {8: 0, 16: 96, 32: 120}[stride]
        x, y, w, h = box
        heads[offset + row * (size[0] // stride) + column] = [
            (x + w / 2) / stride - column, (y + h / 2) / stride - row, np.log(w / stride), np.log(h / stride), *scores
        ]  # fmt: skip

    write(8, 3, 4, (10, 12, 40, 30), (0.9, 0.9, 0.0))
    write(16, 2, 1, (11, 12, 40, 30), (0.8, 0.9, 0.0))  # the same person, less sure
    write(32, 1, 1, (40, 20, 30, 25), (0.9, 0.1, 0.9))  # of class 1
    write(16, 5, 0, (70, 2, 20, 14), (0.7, 0.8, 0.0))
    seen = []
    rows = Yolox(lambda image: seen.append(image) or [heads[None]], size)(PICTURE)
    ratio = 96 / 200
    assert np.allclose(rows[:, :4] * ratio, [(10, 12, 40, 30), (70, 2, 20, 14)], atol=1e-4)
    assert np.allclose(rows[:, 4], [0.81, 0.56])
    (image,) = seen
    assert (image.shape, image.dtype) == ((1, 3, 64, 96), np.float32)
    assert np.array_equal(image[0, :, :57].transpose(1, 2, 0), cv2.resize(PICTURE, (96, 57)))
    assert (image[0, :, 57:] == 114).all()


def test_heads_of_another_size_are_refused():
    with pytest.raises(ValueError, match="expected 126 boxes for an input of 96x64, got 5"):
        Yolox(lambda image: [np.zeros((1, 5, 85))], (96, 64))(PICTURE)


def test_dets_and_labels_are_read_in_either_order():
    dets = np.array([[[10, 10, 50, 60, 0.9], [0, 0, 20, 20, 0.8], [5, 5, 10, 10, 0.1]]], np.float32)
    labels = np.array([[0, 3, 0]])
    rows = Yolox(lambda image: [labels, dets], (100, 60), found_at=(1, 0))(PICTURE)
    assert np.allclose(rows, [[20, 20, 80, 100, 0.9]])


def test_multiposes_boxes_are_read_in_pixels():
    answer, seen = np.zeros((1, 6, 56), np.float32), []
    height, width = 160, 256  # of the input for 120 x 200, at 1.28 times its size
    answer[0, 1, 51:] = [12.8 / height, 25.6 / width, 64 / height, 128 / width, 0.7]
    answer[0, 2, 51:] = [0.5, 0.5, 3.0, 3.0, 0.2]  # goes beyond the picture
    rows = MultiPose(lambda image: seen.append(image) or [answer])(PICTURE)
    assert np.allclose(rows, [[20, 10, 80, 40, 0.7], [100, 62.5, 100, 57.5, 0.2]], atol=1e-4)
    (image,) = seen
    assert (image.shape, image.dtype) == ((1, height, width, 3), np.int32)
    assert np.array_equal(image[0, :153, :, ::-1], cv2.resize(PICTURE, (256, 153)))
    assert not image[0, 153:].any()


def test_nobody():
    assert MultiPose(lambda image: [np.zeros((1, 6, 56))])(PICTURE).shape == (0, 5)
    heads = np.zeros((1, 126, 85), np.float32)
    assert Yolox(lambda image: [heads], (96, 64))(PICTURE).shape == (0, 5)
