"""Targets and poses of the bottom-up codec, by the numbers of the published code."""

import numpy as np
import pytest

from paddlepose.codecs.regression import Answer, Codec, up_interpolate

SIDES = {17: 4.0, 14: 2.0}  # sigma of the centres by number of joints: CrowdPose's experiments have another


def answer_of(inputs, case: dict) -> Answer:
    """The maps that a case of the parser's golden describes."""
    if case["boxes"]:
        joints, _ = inputs.people(case["people_seed"], case["boxes"], case["num_joints"])
    maps = []
    for scale in case["scales"]:
        if case["boxes"]:
            maps.append(
                inputs.maps(scale["maps_seed"], joints, *scale["map_hw"], scale["stride"], **case["maps_kwargs"])
            )
        else:
            rng = np.random.RandomState(110)
            maps.append(
                (rng.uniform(0, 0.004, (1, 18, 64, 64)).astype(np.float32),
                 rng.uniform(0, 64, (1, 34, 64, 64)).astype(np.float32))
            )  # fmt: skip
    size = tuple(case["base_size_wh"][::-1])
    fused = sum(up_interpolate(heatmaps[0], size) for heatmaps, _ in maps) / np.float32(len(maps))
    return Answer([h[0] for h, _ in maps], [p[0] for _, p in maps], fused)


def codec_of(case: dict) -> Codec:
    size, output = case["input_size"], case["output_size"]
    return Codec((size, size), (output[-1], output[-1]), bg_weight=(0.1,) * len(output))


CASES = ("one", "two", "six", "overlap", "edges", "crowdpose", "multiscale", "nobody")


def all_cases(golden) -> dict:
    return golden("bottomup/parser.json")


def test_parser_finds_the_people_of_the_golden(golden, golden_inputs):
    numbers = golden("bottomup/parser.npz")
    for name, case in all_cases(golden).items():
        answer, codec = answer_of(golden_inputs, case), codec_of(case)
        if not case["people_found"]:
            assert len(codec.decode(answer)) == 0, name
            continue
        assert np.allclose(answer.fused.sum((1, 2)), numbers[f"{name}__fused_checksum"], rtol=1e-4), name
        xy, center = codec.find(answer)
        assert np.allclose(xy, numbers[f"{name}__nms_keypoints"][..., :2], atol=5e-3), name
        assert np.allclose(center, numbers[f"{name}__nms_center_scores"], atol=2e-4), name


@pytest.mark.parametrize("snap", [False, True])
def test_parser_gives_the_poses_of_the_golden(golden, golden_inputs, snap):
    numbers = golden("bottomup/parser.npz")
    for name, case in all_cases(golden).items():
        if not case["people_found"]:
            continue
        poses = codec_of(case).decode(answer_of(golden_inputs, case), snap=snap)
        kind, stable = ("final", numbers[f"{name}__stable"] > 0) if snap else ("regression", np.s_[:])
        wanted, scores = numbers[f"{name}__{kind}_poses"], numbers[f"{name}__{kind}_scores"]
        assert np.allclose(poses.xy[stable], wanted[..., :2][stable], atol=5e-3), name
        assert np.allclose(poses.scores[stable], wanted[..., 2][stable], atol=2e-4), name
        whole = np.ones(len(scores), bool) if not snap else stable.all(1)
        assert np.allclose(poses.score[whole], scores[whole], atol=2e-4), name
        assert np.allclose(poses.score, scores, atol=5e-3), name


def test_absorbed_joints_are_those_of_the_golden(golden, golden_inputs):
    from paddlepose.codecs._snap import absorb

    numbers = golden("bottomup/parser.npz")
    for name, case in all_cases(golden).items():
        if not case["people_found"]:
            continue
        answer, codec = answer_of(golden_inputs, case), codec_of(case)
        xy, center = codec.find(answer)
        xy, heat = absorb(xy, answer.fused[:-1], most=30, threshold=0.01, farthest=75.0)
        stable, wanted = numbers[f"{name}__stable"] > 0, numbers[f"{name}__absorbed"]
        assert np.allclose(xy[stable], wanted[..., :2][stable], atol=5e-3), name
        assert np.allclose((center[:, None] * heat)[stable], wanted[..., 2][stable], atol=2e-4), name


def test_targets_are_those_of_the_golden(golden):
    numbers, cases = golden("bottomup/targets.npz"), golden("bottomup/targets.json")
    for name, case in cases.items():
        joints, area = numbers[f"{name}__in__joints"], numbers[f"{name}__in__area"]
        size, count = case["resolution"], joints.shape[1] - 1
        codec = Codec((4 * size,) * 2, (size,) * 2, center_sigma=SIDES[count])
        weight = numbers[f"{name}__out__weight_mask"]
        maps, near = codec.heatmap(joints, size, float(weight.min()))
        assert np.allclose(maps, numbers[f"{name}__out__heatmaps"], atol=1e-6), name
        assert np.allclose(near, weight, atol=1e-6), name
        offset, offset_weight = codec.offsets(joints, area, size)
        y0, y1, x0, x1 = numbers[f"{name}__out__offset_window"]
        for made, key in ((offset, "offsets"), (offset_weight, "offset_weights")):
            wanted = np.zeros_like(made)
            wanted[:, y0:y1, x0:x1] = numbers[f"{name}__out__{key}"]
            assert np.allclose(made, wanted, atol=1e-6), (name, key)


def test_up_interpolate_gives_the_golden(golden):
    numbers = golden("bottomup/up_interpolate.npz")
    tried = 0
    for key in numbers:
        if "__out__" in key:
            maps = numbers[f"{key.split('__')[0]}__in__x"]
            made = up_interpolate(maps, numbers[key].shape[2:])
            assert np.allclose(made, numbers[key], atol=1e-6), key
            tried += 1
    assert tried > 2


def peaks(*spots: tuple[int, int], joints: int = 17, height: float = 0.5) -> Answer:
    """Maps of 64 x 64 with people whose joints stand in a column below their centres (x, y) in the maps' pixels."""
    heat, positions = np.zeros((joints + 1, 64, 64), np.float32), np.zeros((2 * joints, 64, 64), np.float32)
    for x, y in spots:
        heat[-1, y, x] = height
        positions[::2, y, x], positions[1::2, y, x] = x, y + np.arange(joints)
    return Answer([heat], [positions], up_interpolate(heat, (256, 256)))


def test_no_centre_above_zero_is_nobody():
    answer = peaks((20, 20))
    answer.heatmaps[0][-1] = -answer.heatmaps[0][-1] - 0.01
    assert len(Codec((256, 256), (64, 64)).decode(answer)) == 0


@pytest.mark.parametrize("joints", [1, 3, 10, 17])
def test_people_of_any_number_of_joints_are_kept_apart(joints):
    xy, center = Codec((256, 256), (64, 64)).find(peaks((5, 5), (30, 30), (50, 10), joints=joints))
    assert xy[:, 0].tolist() == [[20, 20], [200, 40], [120, 120]] and center.tolist() == [0.5, 0.5, 0.5]


def test_like_poses_are_one():
    xy, _ = Codec((256, 256), (64, 64)).find(peaks((20, 20), (20, 24), joints=3))
    assert len(xy) == 2
    xy, _ = Codec((256, 256), (64, 64), dist_threshold=20).find(peaks((20, 20), (20, 24), joints=3))
    assert len(xy) == 1
