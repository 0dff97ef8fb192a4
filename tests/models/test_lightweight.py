"""Both lightweight pose networks: the published outputs, modules, training steps and initialisation."""

import re

import numpy as np
import paddle
import pytest
from published import build, fill, gradient_norms, outputs, weighted_batch

from paddlepose.config import parse
from paddlepose.core.geometry import SCALE_UNIT, Region, crop_matrix
from paddlepose.core.image import read_picture, to_input, warp
from paddlepose.core.predict import TopDown
from paddlepose.engine.evaluate import as_network
from paddlepose.engine.job import Job
from paddlepose.losses import Heatmap
from paddlepose.models import _lightweight, lp_net, lpn, network_class

VARIANTS = [
    ("lp_net_50_gcb_256x192", {}),
    ("lp_net_50_nogcb_256x192", {"use_gcb": False}),
    ("lp_net_101_gcb_256x192", {"depth": 101}),
    ("lpn_50_gc_256x192", {}),
    ("lpn_50_gc_256x256_j16", {}),
    ("lpn_101_gc_256x192", {"depth": 101}),
    ("lpn_50_se_256x192", {"attention": "se"}),
    ("lpn_50_none_256x192", {"attention": "none"}),
]
STRIDES = {"lp_net_101_gcb_256x192": 2, "lpn_101_gc_256x192": 2, "lpn_50_se_256x192": 4, "lpn_50_none_256x192": 4}


def family(name):
    return "lp_net" if name.startswith("lp_net") else "lpn"


@pytest.mark.parametrize(("name", "arguments"), VARIANTS, ids=[name for name, _ in VARIANTS])
def test_golden(golden, golden_weights, name, arguments):
    """goldens/lpn/<variant>: heatmaps."""
    description, arrays = golden(f"lpn/{name}.json"), golden(f"lpn/{name}.npz")
    joints = description["config"]["NUM_JOINTS"]
    model = build(description, golden_weights, family(name), joints, arguments)
    (maps,) = outputs(model, golden_weights, description)
    stride = STRIDES.get(name, 1)
    np.testing.assert_allclose(maps[:, :, ::stride, ::stride], arrays["heatmaps"], atol=2e-6)
    np.testing.assert_allclose(maps.std(), description["outputs"]["heatmaps"]["std"], atol=2e-6)


@pytest.mark.parametrize("name", ["demo_lp_net_50_gcb", "test_lpn_50_gc_coco", "test_lpn_50_gc_mpii"])
def test_demo_golden(golden, golden_weights, real_data, name):
    """goldens/lpn/demo: from a real picture and a box to joints, as the demo and the test script of the two do."""
    description, arrays = golden("lpn/demo.json")[name], golden("lpn/demo.npz")
    folder, _, picture = description["image"].partition("/")
    is_mpii, form = "mpii" in name, "lp_net" if "lp_net" in name else "lpn"
    variant = {"lp_net": "lp_net_50_gcb_256x192", "lpn": "lpn_50_gc_256x192"}[form]
    variant = "lpn_50_gc_256x256_j16" if is_mpii else variant
    model = build(golden(f"lpn/{variant}.json"), golden_weights, form, description["num_joints"], {})
    size = description["image_size_wh"]
    raw = {
        "DATASET": {"DATASET": "mpii" if is_mpii else "coco", "COLOR_RGB": description["color"] == "RGB"},
        "MODEL": {"NAME": form, "IMAGE_SIZE": size, "HEATMAP_SIZE": [side // 4 for side in size]},
        "CODEC": {"NAME": "soft_argmax", "FORM": form},
        "TEST": {"USE_GT_BBOX": True, "SHIFT_HEATMAP": description["shift_heatmap"]},
    }
    card = Job(parse(raw), name).card
    predictor = TopDown(as_network(model), card, flip_test=description["flip_test"])
    region = Region(np.array(description["center"]), np.array(description["scale"]) * SCALE_UNIT)
    matrix = crop_matrix(region, card.input_size)
    np.testing.assert_allclose(matrix, description["affine"], atol=1e-6)
    crop = warp(read_picture(real_data(folder) / picture), matrix, card.input_size)
    shown = crop[..., ::-1] if card.rgb else crop
    np.testing.assert_array_equal(shown[::8, ::8], arrays[f"in__{name}_crop_s8"])
    image = to_input(crop, card)[None]
    np.testing.assert_allclose(image[:, :, ::16, ::16], arrays[f"out__{name}_input_s16"], atol=1e-6)
    maps = predictor.outputs(image)
    np.testing.assert_allclose(maps[:, :, ::4, ::4], arrays[f"out__{name}_heatmaps_s4"], atol=2e-6)
    poses = predictor.poses(maps, [region])
    np.testing.assert_allclose(poses.xy - description["bias"], arrays[f"out__{name}_preds"], atol=0.02)
    np.testing.assert_allclose(poses.scores, arrays[f"out__{name}_score"][..., 0], atol=2e-6)


def context(channels, planes, pool="average", fusions=("add", "mul")):
    return lambda: _lightweight.GlobalContext(channels, planes, pool=pool, fusions=fusions)


MODULES = {
    "context_block_add_mul_c64": context(64, 2),
    "context_block_add_c64": context(64, 2, fusions=("add",)),
    "context_block_mul_c64": context(64, 2, fusions=("mul",)),
    "context_block_add_mul_c256": context(256, 8),
    "context_block_ratio16_c128": context(128, 8),
    "gc_block_att_add_c64_p16": context(64, 16, "attention", ("add",)),
    "gc_block_att_mul_c64_p16": context(64, 16, "attention", ("mul",)),
    "gc_block_att_add_mul_c64_p16": context(64, 16, "attention"),
    "gc_block_avg_add_c64_p16": context(64, 16, fusions=("add",)),
    "se_layer_c64": lambda: lpn.SqueezeExcitation(64, 16),
    "se_layer_c512": lambda: lpn.SqueezeExcitation(512, 32),
    "lp_net_bottleneck_gcb_64_128_s2": lambda: lp_net._Block(64, 128, 2, use_gcb=True),
    "lp_net_bottleneck_nogcb_64_128_s2": lambda: lp_net._Block(64, 128, 2, use_gcb=False),
    "lpn_bottleneck_gc_64_128_s2": lambda: lpn._Block(64, 128, 2, attention="gc"),
    "lpn_bottleneck_se_64_128_s2": lambda: lpn._Block(64, 128, 2, attention="se"),
    "lpn_bottleneck_none_64_128_s2": lambda: lpn._Block(64, 128, 2, attention="none"),
}


@pytest.mark.parametrize("name", MODULES)
def test_module_golden(golden, golden_weights, name):
    """goldens/lpn/modules: one attention or one bottleneck."""
    description, arrays = golden("lpn/modules.json")[name], golden("lpn/modules.npz")
    layer = MODULES[name]()
    fill(layer, golden_weights, description["entries"])
    layer.eval()
    image = golden_weights.image(description["input"]["shape"], description["input"]["seed"])
    with paddle.no_grad():
        found = layer(paddle.to_tensor(image)).numpy()
    np.testing.assert_allclose(found, arrays[description["output"]], atol=5e-6)


@pytest.mark.parametrize("name", ["lp_net_50_gcb_256x192", "lpn_50_gc_256x192"])
def test_training_golden(golden, golden_weights, name):
    """goldens/lpn/train_<variant>, in float64: losses of two Adam steps, and the first gradients."""
    description, arrays = golden(f"lpn/train_{name}.json"), golden(f"lpn/train_{name}.npz")
    model = network_class(family(name))(17)
    fill(model, golden_weights, description["entries"])
    model.to(dtype="float64")
    model.train()
    batch = weighted_batch(arrays["in__target"], arrays["in__target_weight"], "float64")
    image = golden_weights.image(description["input"]["shape"], description["input"]["seed"]).astype(np.float64)
    trained = [p for p in model.parameters() if not p.stop_gradient]
    optimizer = paddle.optimizer.Adam(1e-3, parameters=trained)
    for step, rtol in ((0, 1e-8), (1, 1e-6)):
        found = model(paddle.to_tensor(image))
        loss = Heatmap()(found, batch)["loss"]
        np.testing.assert_allclose(loss.item(), description["losses_float64"][step], rtol=rtol)
        loss.backward()
        if step == 0:
            np.testing.assert_allclose(found[-1].numpy()[:, :, ::4, ::4], arrays["out__heatmaps_step_0_s4"], atol=1e-6)
            wanted = {k: v for k, v in description["grad_norms"].items() if not k.endswith("conv_mask.bias")}
            norms = gradient_norms(model, wanted)
            np.testing.assert_allclose(list(norms.values()), list(wanted.values()), rtol=1e-5)
        optimizer.step()
        optimizer.clear_grad()


def drawn(kind, values):
    """Whether values look like a draw of a kind, as goldens/lpn/init.json names them."""
    spread = float(re.findall(r"[\d.]+", kind)[0]) if re.search(r"\d", kind) else 0.0
    if kind in ("ones", "zeros"):
        return bool((values == (kind == "ones")).all())
    if kind.startswith("uniform"):
        near = values.size < 200 or abs(values.std() / (spread / 3**0.5) - 1) < 0.2
        return bool(np.abs(values).max() <= spread * 1.0001) and near
    return values.size < 200 or abs(values.std() / spread - 1) < 0.2


@pytest.mark.parametrize(
    ("title", "name", "arguments", "init"),
    [
        ("lpn_50_coco", "lpn", {}, True),
        ("lpn_50_mpii_init_weights_false", "lpn", {}, False),
        ("lp_net_50_gcb", "lp_net", {}, True),
        ("lp_net_50_nogcb", "lp_net", {"use_gcb": False}, False),
    ],
)
def test_initial_weights_golden(golden, title, name, arguments, init):
    """goldens/lpn/init.json: the kind of each parameter's first values."""
    kinds = golden("lpn/init.json")[title]
    paddle.seed(0)
    model = network_class(name)(16 if "mpii" in title else 17, **arguments)
    if init:
        model.init_weights()
    parameters = {key: value.numpy() for key, value in model.named_parameters() if not value.stop_gradient}
    assert parameters.keys() == kinds.keys()
    assert [f"{key}: {kind}" for key, kind in kinds.items() if not drawn(kind, parameters[key])] == []
