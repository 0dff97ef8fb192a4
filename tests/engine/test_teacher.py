"""A teacher sees what it was trained on, and answers in the student's size."""

from dataclasses import replace

import cv2
import numpy as np
import paddle
import pytest

from paddlepose.core.geometry import Region, crop_matrix
from paddlepose.core.image import to_input, warp
from paddlepose.core.types import Card, Skeleton
from paddlepose.engine.teacher import KeptMaps, Teacher, resize

JOINTS = Skeleton("three", ("a", "b", "c"), (), ())


def card(size=(32, 48), map_size=None, *, codec=None, **fields):
    """A card of three joints, by default with maps of the input's size."""
    settings = {"name": "heatmap", "input_size": size, "heatmap_size": map_size or size, **(codec or {})}
    return Card("top_down", "net", size, JOINTS, settings, **fields)


class Echo(paddle.nn.Layer):
    """Its map of a joint is its input's channel, so that what it answers is what it saw."""

    def forward(self, image):
        return [image]


def seen(own, student, image):
    """What a teacher of card `own` sees of a student's input, in the student's map size."""
    return Teacher(Echo(), own, student).maps(paddle.to_tensor(image)).numpy()


SIZES = [((16, 12), (32, 24)), ((32, 24), (16, 12)), ((16, 12), (24, 18)), ((24, 18), (16, 12)), ((16, 12), (16, 12))]


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_a_point_stays_at_its_share_of_the_width_and_the_height(old, new):
    """Of a map whose values are x, and one whose values are y, a point's values are its old place."""
    x, y = np.meshgrid(np.arange(old[0]), np.arange(old[1]))
    found = resize(paddle.to_tensor(np.float32([[x, y]])), new).numpy()[0]
    assert found.shape == (2, new[1], new[0])
    columns, rows = (np.minimum(np.arange(n) * o / n, o - 1) for o, n in zip(old, new, strict=True))
    np.testing.assert_allclose(found[0], np.tile(columns, (new[1], 1)), atol=1e-5)
    np.testing.assert_allclose(found[1], np.tile(rows[:, None], new[0]), atol=1e-5)


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_a_constant_map_stays_constant(old, new):
    found = resize(paddle.full([1, 2, *old[::-1]], 0.75), new)
    np.testing.assert_allclose(found.numpy(), 0.75, atol=1e-6)


def test_a_maximum_stays_at_its_place():
    maps = np.zeros((1, 1, 24, 16), np.float32)
    maps[0, 0, 9, 5] = 1
    found = resize(paddle.to_tensor(maps), (32, 48)).numpy()[0, 0]
    assert np.unravel_index(found.argmax(), found.shape) == (18, 10) and found.max() == 1


def test_a_resized_crop_is_the_crop_of_the_other_size():
    """To half of a grey level, on a picture without edges."""
    x, y = np.meshgrid(np.arange(200), np.arange(160))
    picture = np.stack([x, y, 100 + 50 * np.sin(x / 40 + y / 30)], -1).astype(np.uint8)
    region = Region(np.array([90.0, 80.0]), np.array([96.0, 128.0]))
    small, large = (warp(picture, crop_matrix(region, size), size) for size in ((48, 64), (96, 128)))
    resized = resize(paddle.to_tensor(np.float32(small).transpose(2, 0, 1)[None]), (96, 128)).numpy()[0]
    difference = (resized - large.transpose(2, 0, 1))[:, :-2, :-2]  # what lies beyond the last small pixel is lost
    assert abs(difference.mean()) < 0.5 and np.abs(difference).max() < 2


CARDS = {
    "the same": card(),
    "red first": card(rgb=True),
    "no mean": card(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    "all different": card(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 1.0), rgb=True),
}


@pytest.mark.parametrize("student", CARDS.values(), ids=CARDS)
@pytest.mark.parametrize("own", CARDS.values(), ids=CARDS)
def test_a_teacher_sees_its_own_colours(own, student):
    """What it gets of a student's input is what `to_input` makes of the crop for the teacher itself."""
    crop = np.random.default_rng(0).integers(0, 256, (48, 32, 3), np.uint8)
    found = seen(own, student, to_input(crop, student)[None])
    np.testing.assert_allclose(found[0], to_input(crop, own), atol=2e-6)


@pytest.mark.parametrize(("size", "map_size"), [((64, 96), (16, 24)), ((16, 24), (8, 12)), ((32, 48), (16, 24))])
def test_sizes_may_differ(size, map_size):
    """A ramp over the student's crop is a ramp over its maps, whatever the teacher's size in between."""
    ramp = np.tile(np.arange(32, dtype=np.float32), (1, 3, 48, 1))
    found = seen(card(size), card((32, 48), map_size), ramp)
    inside = np.arange(map_size[0] - 1)
    wanted = inside * 32 / map_size[0]
    np.testing.assert_allclose(found[0, 0, 0, inside], wanted, atol=1e-4)
    assert found.shape == (1, 3, *map_size[::-1])


def test_as_a_network_function():
    images = np.random.default_rng(0).random((2, 3, 48, 32), np.float32)
    (maps,) = Teacher(Echo(), card(), card()).as_network()(images)
    np.testing.assert_allclose(maps, images, atol=1e-6)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (replace(card(), skeleton=Skeleton("other", ("a", "b"), (), ())), "teacher's joints are a, b; .* are a, b, c"),
        (card((48, 48)), r"IMAGE_SIZE is \(48, 48\), another aspect ratio than the student's \(32, 48\)"),
    ],
)
def test_what_does_not_fit(own, message):
    with pytest.raises(ValueError, match=f"KD.TEACHER_FILE: .*{message}"):
        Teacher(Echo(), own, card())


@pytest.mark.parametrize(("codec", "warned"), [({"sigma": 2}, False), ({"sigma": 3}, True), ({}, False)])
def test_other_gaussians_are_noticed(caplog, codec, warned):
    """A card may leave the codec's settings out that are the usual ones."""
    Teacher(Echo(), card(codec=codec), card())
    assert ("1.50 times as wide" in caplog.text) is warned


class Counting(Teacher):
    """It notes how many images it was shown."""

    shown = 0

    def maps(self, image):
        self.shown += len(image)
        return super().maps(image)


def batch(images, index):
    return {"image": paddle.to_tensor(images[index]), "index": paddle.to_tensor(np.array(index))}


def test_kept_maps(tmp_path):
    """Each sample is looked at once, also by a later run; 16 bits are kept."""
    images = np.random.default_rng(0).standard_normal((4, 3, 48, 32)).astype(np.float32)
    teacher = Counting(Echo(), card(), card())
    kept = KeptMaps(teacher, tmp_path, (4, 3), origin="a")
    for index, total in (([1, 0], 2), ([0, 2], 3), ([1, 2], 3)):
        found = kept(batch(images, index)).numpy()
        assert teacher.shown == total
        np.testing.assert_array_equal(found, images[index].astype(np.float16))
    again = KeptMaps(teacher, tmp_path, (4, 3), origin="a")
    np.testing.assert_array_equal(again(batch(images, [2, 3])).numpy(), images[2:].astype(np.float16))
    assert teacher.shown == 4
    KeptMaps(teacher, tmp_path, (4, 3), origin="b")(batch(images, [2, 3]))
    assert teacher.shown == 6


def test_kept_maps_of_other_data_are_not_read(tmp_path):
    """A list of people that has grown, or a teacher that is used otherwise, has maps of its own."""
    images = np.ones((5, 3, 48, 32), np.float32)
    KeptMaps(Teacher(Echo(), card(), card()), tmp_path, (4, 3), origin="a")(batch(images, [3]))
    for own, shape in ((card(), (5, 3)), (card(rgb=True), (4, 3))):
        teacher = Counting(Echo(), own, card())
        KeptMaps(teacher, tmp_path, shape, origin="a")(batch(images, [3]))
        assert teacher.shown == 1


def test_a_teacher_in_evaluation_mode_does_not_change():
    model = paddle.nn.Sequential(paddle.nn.Conv2D(3, 3, 1), paddle.nn.BatchNorm2D(3))
    before = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    network = type("Listed", (paddle.nn.Layer,), {"forward": lambda self, x: [self.inner(x)]})()
    network.inner = model
    maps = Teacher(network, card(), card())({"image": paddle.randn([2, 3, 48, 32])})
    assert maps.stop_gradient and not model.training
    assert all(np.array_equal(before[key], value.numpy()) for key, value in model.state_dict().items())


def test_pictures_as_they_are_read():
    """The whole way: a picture's crop for a student of one size, as its teacher of another sees it."""
    picture = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (120, 100, 3), np.uint8), (0, 0), 6)
    region = Region(np.array([50.0, 60.0]), np.array([64.0, 96.0]))
    student, own = card((32, 48), (64, 96)), card((64, 96), rgb=True)
    inputs = [to_input(warp(picture, crop_matrix(region, c.input_size), c.input_size), c) for c in (student, own)]
    found = seen(own, student, inputs[0][None])[0]
    assert np.abs(found - inputs[1])[:, :-2, :-2].max() < 0.1  # 6 grey levels are 0.1
