"""Samples: the crop, the maps, and that both move together."""

import cv2
import numpy as np
import pytest

from paddlepose import config, plugins
from paddlepose.core.geometry import Region
from paddlepose.core.types import Card, ImageRecord, Person, Skeleton
from paddlepose.samples.augment import Draw
from paddlepose.samples.topdown import TopDownSamples, is_well_framed

MPII = {"DATASET": "mpii", "ROOT": "mpii_mini"}
COCO = {"DATASET": "coco", "ROOT": "coco_mini", "TRAIN_SET": "train2017"}
SETTINGS = {
    "mpii_mini": {"DATASET": MPII},
    "coco_mini hrnet_w32_256x192": {
        "DATASET": COCO | {"COLOR_RGB": True, "SCALE_FACTOR": 0.35, "ROT_FACTOR": 45},
        "MODEL": {"IMAGE_SIZE": [192, 256], "HEATMAP_SIZE": [48, 64]},
    },
    "coco_mini res50_384x288": {
        "DATASET": COCO,
        "MODEL": {"IMAGE_SIZE": [288, 384], "HEATMAP_SIZE": [72, 96], "SIGMA": 3},
    },
}


def golden_samples(title, real_data):
    """The samples of one configuration of the golden."""
    raw = {"TEST": {"USE_GT_BBOX": True}, **SETTINGS[title]}
    folder = real_data(raw["DATASET"]["ROOT"])
    parsed = config.parse(raw | {"DATASET": raw["DATASET"] | {"ROOT": str(folder)}})
    source = parsed.source(train=True)
    dataset = plugins.find("datasets", parsed.dataset.dataset)
    return TopDownSamples(dataset.records(source), parsed.card(dataset.skeleton(source)), parsed, train=True)


def golden_draw(augment, options):
    """The draw that the golden's standard-normal numbers make."""
    if augment is None:
        return Draw()
    spread, turn = options.scale_factor, options.rot_factor
    return Draw(
        half_body=("upper" if augment["upper"] else "lower") if augment["half_body"] else None,
        scale=float(np.clip(augment["scale_draw"] * spread + 1, 1 - spread, 1 + spread)),
        rotation=float(np.clip(augment["rot_draw"] * turn, -2 * turn, 2 * turn)) if augment["rotate"] else 0.0,
        flip=augment["flip"],
    )


@pytest.mark.parametrize("n", range(12))
def test_samples_golden(golden, real_data, n):
    """goldens/topdown/samples.{json,npz}: whole samples of real pictures, with given draws."""
    row, arrays = golden("topdown/samples.json")["samples"][n], golden("topdown/samples.npz")
    samples = golden_samples(row["dataset"], real_data)
    record, person = samples.people[row["index"]]
    assert record.path.name == row["image"]

    change = golden_draw(row["augment"], samples.options)
    sample = samples.sample(record, person, change, row["index"])

    image = sample["image"]
    assert list(image.shape) == row["input_shape"]
    assert np.abs(image[:, ::4, ::4] - arrays[f"out__input_s4_{n}"]).mean() < 5e-3
    np.testing.assert_allclose(image.mean((1, 2)), row["input_mean"], atol=2e-3)
    np.testing.assert_allclose(image.std((1, 2)), row["input_std"], atol=2e-3)
    np.testing.assert_array_equal(sample["weight"], arrays[f"out__target_weight_{n}"])
    flat = sample["target"].reshape(len(sample["target"]), -1)
    np.testing.assert_array_equal(flat.argmax(1), arrays[f"out__target_argmax_{n}"])
    np.testing.assert_allclose(flat.sum(1), arrays[f"out__target_sum_{n}"], rtol=1e-5)


SKELETON = Skeleton("pair", ("left", "right"), flip_pairs=((0, 1),), limbs=())


def one_pixel(folder, x, y):
    """A black picture with one white spot, and a person whose left joint is on it."""
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    cv2.imwrite(str(folder / "spot.png"), picture)
    person = Person(
        np.array([[x, y, 1.0], [0, 0, 0]]), Region(np.array([80.0, 60]), np.array([120.0, 120])), np.zeros(4), 1.0
    )
    return ImageRecord(0, folder / "spot.png", (person,))


@pytest.mark.parametrize(
    "change",
    [Draw(), Draw(scale=1.3), Draw(rotation=35), Draw(flip=True), Draw(scale=0.8, rotation=-20, flip=True)],
    ids=str,
)
def test_white_spot_and_its_joint_move_together(tmp_path, change):
    record = one_pixel(tmp_path, 95, 45)
    parsed = config.parse({"MODEL": {"IMAGE_SIZE": [64, 64], "HEATMAP_SIZE": [64, 64], "SIGMA": 1}})
    samples = TopDownSamples([record], parsed.card(SKELETON), parsed, train=True)
    sample = samples.sample(record, record.people[0], change, 0)
    spot = np.unravel_index(sample["image"][0].argmax(), (64, 64))
    joint = 1 if change.flip else 0  # the left joint of a mirrored person is the right one
    assert sample["weight"][:, 0].tolist() == [1 - joint, joint]
    peak = np.unravel_index(sample["target"][joint].argmax(), (64, 64))
    assert np.abs(np.subtract(spot, peak)).max() <= 1


def test_a_sample_depends_on_seed_epoch_and_number_alone(tmp_path):
    record = one_pixel(tmp_path, 95, 45)
    parsed = config.parse({"MODEL": {"IMAGE_SIZE": [64, 64], "HEATMAP_SIZE": [16, 16]}})
    first, second = (TopDownSamples([record] * 3, parsed.card(SKELETON), parsed, train=True) for _ in range(2))
    second[0]
    np.testing.assert_array_equal(first[1]["image"], second[1]["image"])
    second.epoch = 1
    assert (first[1]["image"] != second[1]["image"]).any()
    assert (first[1]["image"] != first[2]["image"]).any()


def test_joint_weights(tmp_path):
    record = one_pixel(tmp_path, 95, 45)
    skeleton = Skeleton("pair", ("left", "right"), ((0, 1),), (), weights=(1.5, 1.0))
    parsed = config.parse({"LOSS": {"USE_DIFFERENT_JOINTS_WEIGHT": True}})
    samples = TopDownSamples([record], parsed.card(skeleton), parsed, train=False)
    assert samples[0]["weight"][:, 0].tolist() == [1.5, 0]


def test_colour_order(tmp_path):
    """A network for RGB gets the channels of one for BGR in the other order, with the same mean and deviation."""
    cv2.imwrite(str(tmp_path / "red.png"), np.full((32, 32, 3), (0, 0, 255), np.uint8))
    person = Person(np.zeros((2, 3)), Region(np.array([15.5, 15.5]), np.array([16.0, 16])), np.zeros(4), 1.0)
    record = ImageRecord(0, tmp_path / "red.png", (person,))
    found = {}
    for rgb in (True, False):
        parsed = config.parse({"DATASET": {"COLOR_RGB": rgb}})
        card: Card = parsed.card(SKELETON)
        found[rgb] = TopDownSamples([record], card, parsed, train=False)[0]["image"][:, 128, 128]
    np.testing.assert_allclose(found[True], [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-5)
    np.testing.assert_allclose(found[False], [-0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225], rtol=1e-5)


@pytest.mark.parametrize(
    ("visible", "shift", "kept"),
    [
        (17, 0, True),  # joints around the centre
        (17, 17, False),  # 0.17 of the region's side away: exp(-0.17^2 / 0.08) = 0.70 > 0.65, but both ways: 0.49
        (2, 17, True),  # fewer joints may lie farther: 0.49 > 0.4625
        (0, 0, False),  # nobody to learn from
    ],
)
def test_select_data(visible, shift, kept):
    joints = np.zeros((17, 3))
    joints[:visible] = 50 + shift, 50 + shift, 1
    person = Person(joints, Region(np.array([50.0, 50]), np.array([100.0, 100])), np.zeros(4), 1.0)
    assert is_well_framed(person) is kept
