"""From a picture to everybody's poses: sizes, flip test, scales and the way back, by the published code's numbers."""

import math

import numpy as np
import pytest

from paddlepose.core.geometry import crop_matrix, invert, resize_align, transform
from paddlepose.core.predict import BottomUp
from paddlepose.core.types import Card
from paddlepose.datasets._skeleton import COCO, CROWDPOSE

SKELETONS = {17: COCO, 14: CROWDPOSE}


def card_of(config: str, joints: int) -> Card:
    """The card of one of the published experiments, by its file's name."""
    size, levels = (512, 1) if config.startswith("w32") else (640, 2 if "_2x_" in config else 1)
    heatmap = size // 4 * levels
    weights = {1: (0.1,), 2: (0.1, 0.025)}[levels]
    codec = {"name": "regression", "input_size": (size, size), "heatmap_size": (heatmap, heatmap), "bg_weight": weights}
    return Card("bottom_up", "regression_hrnet", (size, size), SKELETONS[joints], codec, rgb=True)


def test_input_sizes_are_those_of_the_golden(golden):
    for case in golden("bottomup/multiscale_sizes.json"):
        size, region = resize_align(tuple(case["image_wh"]), case["input_size"], case["scale"])
        assert list(size) == case["size_wh"], case
        assert np.allclose(region.size / 200, case["scale_xy"], atol=1e-4), case
        assert region.center.tolist() == case["center"], case
        matrix = crop_matrix(region, size)
        assert np.allclose(matrix, case["matrix"], atol=1e-4), case
        if "poses_in" in case:
            back = transform(np.array(case["poses_in"])[:, :2], invert(matrix))
            assert np.allclose(back, np.array(case["poses_back"])[:, :2], atol=1e-4), case


def convolution(images, weight, stride):
    """A convolution without padding whose kernel is as large as its stride."""
    batch, channels, height, width = images.shape
    blocks = images.reshape(batch, channels, height // stride, stride, width // stride, stride)
    return np.einsum("bchiwj,ocij->bohw", blocks, weight).astype(np.float32)


def test_flip_test_gives_the_maps_of_the_golden(golden, golden_weights):
    numbers = golden("bottomup/flip_aggregate.npz")
    for name, case in golden("bottomup/flip_aggregate.json").items():
        joints, card = case["joints"], card_of(case["config"], case["joints"])
        levels = 2 if "_2x_" in case["config"] else 1
        heads = [
            golden_weights.tensor(f"stub.heat4.{i}.weight", (joints + 1, 3, 4, 4))
            for i in range(3 if levels > 1 else 1)
        ]
        fine = golden_weights.tensor("stub.heat2.weight", (joints, 3, 2, 2))
        offset = golden_weights.tensor("stub.offset.weight", (2 * joints, 3, 4, 4))

        def network(images, heads=heads, fine=fine, offset=offset, levels=levels):
            coarse = np.concatenate([convolution(images, head, 4) for head in heads], 1)
            more = [convolution(images, fine, 2)] if levels > 1 else []
            return [coarse, *more, convolution(images, offset, 4)]

        predictor = BottomUp(network, card, flip_test=case["flip_test"], scales=case["scales_in_order"])
        for k, scale in enumerate(predictor.scales):
            size = int(case["height"] * scale), int(case["width"] * scale)
            image = golden_weights.image((1, 3, *size), case["seed"] + k)
            heatmaps, positions = predictor.maps(image)
            assert np.allclose(heatmaps, numbers[f"{name}__out__final_heatmaps{k}"], atol=1e-5), name
            assert np.allclose(positions, numbers[f"{name}__out__final_positions{k}"], atol=1e-5), name


def test_a_whole_pass_gives_the_poses_of_the_golden(golden, golden_inputs):
    numbers = golden("bottomup/pipeline.npz")
    for name, case in golden("bottomup/pipeline.json").items():
        count = numbers[f"{name}__final_poses"].shape[1]
        card = card_of(case["config"], count)
        joints, _ = golden_inputs.people(case["seed"], case["boxes_in_base"], count)
        calls = iter(case["calls"])

        def network(images, calls=calls, joints=joints, card=card):
            found = []
            for _ in images:
                call = next(calls)
                maps = golden_inputs.maps(call["maps_seed"], joints, *call["map_hw"], call["stride"])
                if call["mirrored"]:
                    maps = golden_inputs.mirrored(*maps, card.skeleton.flip_order)
                found.append((maps[0], golden_inputs.offsets(maps[1])))
            return [np.concatenate(parts) for parts in zip(*found, strict=True)]

        predictor = BottomUp(network, card, flip_test=True, scales=case["scales_in_order"])
        picture = np.zeros((*case["image_wh"][::-1], 3), np.uint8)
        answer = predictor.answers([picture])[0]
        assert answer.fused.shape[:0:-1] == tuple(case["base_size_wh"])
        for kind in ("regression", "final"):
            poses = predictor.poses(answer, picture, snap=kind == "final")
            stable = numbers[f"{name}__stable"] > 0 if kind == "final" else np.ones(poses.scores.shape, bool)
            assert np.allclose(poses.xy[stable], numbers[f"{name}__{kind}_poses"][..., :2][stable], atol=5e-3), name
            assert np.allclose(poses.score, numbers[f"{name}__{kind}_scores"], atol=5e-3), name


@pytest.mark.parametrize("scales", [(0.5, 2), (1, 0), (1, -1), (1, 0.75), (1, math.nan), (1, math.inf)])
def test_scales_without_one_are_refused(scales):
    with pytest.raises(ValueError, match=r"expected multiples of 0\.5 up to 8, and 1 among them"):
        BottomUp(lambda images: [images], card_of("w32", 17), scales=scales)
