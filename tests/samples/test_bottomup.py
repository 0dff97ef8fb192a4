"""Whole pictures as training samples, by the published code's numbers."""

import random
from pathlib import Path

import numpy as np
import pytest

from paddlepose.config import parse
from paddlepose.core.geometry import transform
from paddlepose.core.image import read_picture, warp
from paddlepose.core.types import ImageRecord
from paddlepose.datasets import coco, crowdpose
from paddlepose.samples.bottomup import BottomUpSamples, PictureDraw, draw, labelled_mask, with_centers

SETS = {"coco_mini": coco, "crowdpose_mini": crowdpose}


def config_of(dataset: str, root: Path, split: str, *, higher: bool = False):
    size = 640 if higher else 512
    heatmap = size // 2 if higher else size // 4
    name = dataset.removesuffix("_mini")
    return parse(
        {
            "DATASET": {"DATASET": name, "ROOT": str(root), "TRAIN_SET": split, "TEST_SET": split, "COLOR_RGB": True}
            | ({"CENTER_LEAST_AREA": 0} if name == "crowdpose" else {}),
            "MODEL": {"NAME": "regression_hrnet", "IMAGE_SIZE": [size, size], "HEATMAP_SIZE": [heatmap, heatmap]},
            "CODEC": {"NAME": "regression", "BG_WEIGHT": [0.1, 0.025] if higher else [0.1]}
            | ({"CENTER_SIGMA": 2} if name == "crowdpose" else {}),
        }
    )


def samples_of(dataset: str, root: Path, split: str, *, higher: bool = False) -> BottomUpSamples:
    config = config_of(dataset, root, split, higher=higher)
    source = config.source(train=True)
    records = SETS[dataset].pictures(source, train=True)
    return BottomUpSamples(records, config.card(SETS[dataset].skeleton(source)), config)


def published_draw(seed: int, picture_size: tuple[int, int], options) -> PictureDraw:
    """The published code's draw, from two global generators."""
    rng, coin = np.random.RandomState(seed), random.Random(seed)
    a, b = rng.random_sample(), rng.random_sample()
    scale = a * (options.max_scale - options.min_scale) + options.min_scale
    reach = int(options.max_translate * min(picture_size) / 200 * scale)
    shift = rng.randint(-reach, reach), rng.randint(-reach, reach)
    return PictureDraw(scale, (2 * b - 1) * options.rot_factor, shift, coin.random() < 0.5)


def test_transforms_are_those_of_the_golden(golden):
    numbers = golden("bottomup/transforms.npz")
    cases = sorted({key.split("__")[0] for key in numbers})
    for case in cases:
        given = {key.split("__in__")[1]: value for key, value in numbers.items() if key.startswith(f"{case}__in__")}
        picture = given["image"]
        size = picture.shape[1::-1]
        scale, rotation, x, y, flipped = given["draws"].tolist()
        change = PictureDraw(scale * 200 / min(size), rotation, (int(x), int(y)), bool(flipped))
        full = int(given["input_size"])
        assert np.allclose(change.matrix(size, full), numbers[f"{case}__out__matrix_input"], atol=1e-6), case
        image = warp(picture, change.matrix(size, full), (full, full))
        image = image[:, ::-1] if flipped else image
        assert np.abs(image.astype(int) - numbers[f"{case}__out__image"]).max() <= 2, case
        for side in given["output_sizes"].tolist():
            matrix = change.matrix(size, side)
            assert np.allclose(matrix, numbers[f"{case}__out__matrix_{side}"], atol=1e-6), case
            mask = warp(given["mask"].astype(np.uint8) * 255, matrix, (side, side)) > 127.5
            mask = mask[:, ::-1] if flipped else mask
            assert (mask == numbers[f"{case}__out__mask_{side}"]).mean() > 0.99, case
            if not flipped:
                points = transform(given["joints"][..., :2], matrix)
                assert np.allclose(points, numbers[f"{case}__out__joints_{side}"][..., :2], atol=1e-6), case


@pytest.mark.parametrize("dataset", SETS)
def test_pictures_and_people_are_those_of_the_golden(golden, real_data, dataset):
    wanted = golden(f"bottomup/dataset_{dataset}.json")
    samples = samples_of(dataset, real_data(dataset), wanted["split"])
    assert [record.id for record in samples.records] == wanted["ids"]
    for number, case in wanted["people"].items():
        record = next(record for record in samples.records if record.id == int(number))
        joints = len(samples.card.skeleton.joints)
        found = with_centers(record.people, joints, samples.options.center_least_area)
        assert np.allclose(found, case["joints"], atol=1e-3), number
        assert np.allclose([p.box[2] * p.box[3] for p in record.people], case["area"]), number
        mask = labelled_mask(record.ignore, tuple(case["mask_shape"][::-1]))
        assert (~mask).sum() == case["mask_ignored_pixels"], number


@pytest.mark.parametrize("name", ["coco_mini", "coco_mini_higher", "crowdpose_mini"])
def test_items_are_those_of_the_golden(golden, real_data, name):
    numbers, wanted = golden(f"bottomup/dataset_{name}.npz"), golden(f"bottomup/dataset_{name}.json")
    dataset = name.removesuffix("_higher")
    samples = samples_of(dataset, real_data(dataset), wanted["split"], higher=dataset != name)
    for item in sorted({key.split("__")[0] for key in numbers}):
        index, seed = (int(part.strip("itemsd")) for part in item.split("_"))
        record = samples.records[index]
        picture = read_picture(record.path)
        change = published_draw(seed, picture.shape[1::-1], samples.options)
        sample = samples.sample(record, picture, change)
        assert np.abs(sample["image"][:, ::16, ::16] - numbers[f"{item}__image"]).max() < 0.03, item
        for level in range(len(samples.codec.sizes)):
            heatmap, mask = sample[f"heatmap{level}"], sample[f"mask{level}"]
            stored = numbers[f"{item}__heatmap_{level}"]
            heatmap = heatmap[: stored.shape[0]]
            assert np.allclose(heatmap[:, ::4, ::4], stored, atol=1e-3), item
            assert np.allclose(heatmap.sum((1, 2)), numbers[f"{item}__heatmap_sum_{level}"], rtol=1e-3, atol=1e-3), item
            assert np.allclose(mask[:, ::4, ::4], numbers[f"{item}__mask_{level}"], atol=1e-3), item
            assert np.allclose(mask.sum(), numbers[f"{item}__mask_sum_{level}"], rtol=1e-3), item
        offset, weight = sample["offset"], sample["offset_weight"]
        for key, value in {
            "offset_sum": offset.sum((1, 2)),
            "offset_abs_sum": np.abs(offset).sum((1, 2)),
            "offset_weight_sum": weight.sum((1, 2)),
            "offset_nonzero": (weight > 0).sum((1, 2)),
        }.items():
            assert np.allclose(value, numbers[f"{item}__{key}_0"], rtol=1e-3, atol=1e-3), (item, key)


def test_draws_stay_within_their_ranges():
    options = config_of("coco_mini", Path("data/coco"), "train2017").dataset
    draws = [draw(np.random.default_rng(i), options, (640, 480)) for i in range(500)]
    scales = np.array([change.scale for change in draws])
    assert options.min_scale <= scales.min() < 0.8 < 1.45 < scales.max() <= options.max_scale
    assert np.abs([change.rotation for change in draws]).max() <= options.rot_factor
    reach = np.array([options.max_translate * 480 / 200 * scale for scale in scales])
    assert (np.abs([change.shift for change in draws]).max(1) <= reach).all()
    assert 0.4 < np.mean([change.flip for change in draws]) < 0.6


def test_a_picture_of_a_crowd_alone_is_a_sample_without_people(tmp_path):
    samples = BottomUpSamples(
        [], config_of("coco_mini", tmp_path, "a").card(coco._skeleton.COCO), config_of("coco_mini", tmp_path, "a")
    )
    record = ImageRecord(1, tmp_path, (), (64, 48), ([[8, 8, 40, 8, 40, 40, 8, 40]],))
    sample = samples.sample(record, np.zeros((48, 64, 3), np.uint8), PictureDraw())
    assert not sample["heatmap0"].any() and not sample["offset_weight"].any()
    assert set(np.unique(sample["mask0"])) == {0, np.float32(0.1)}
