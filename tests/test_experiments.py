"""Every experiment is the published one: its network's size, its samples, its training, how it is measured."""

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from paddlepose import load_config
from paddlepose.models import network_class

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ROOT / "experiments"
FILES = {path.relative_to(EXPERIMENTS).with_suffix("").as_posix(): path for path in EXPERIMENTS.rglob("*.yaml")}
BOTTOM_UP = {name for name in FILES if "NAME: regression_hrnet" in FILES[name].read_text()}
OURS = ("mini/", "person17/")
PUBLISHED = sorted(name for name in FILES if not name.startswith(OURS) and name not in BOTTOM_UP)
JOINTS = {"people": 17, "coco": 17, "mpii": 16, "crowdpose": 14}
DETECTIONS = Path("data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json")


class Recipe(NamedTuple):
    """What experiments of one kind on one set have in common."""

    epochs: int = 140
    lr: float = 1e-3
    steps: tuple[int, ...] = (90, 120)  # epochs; none where the rate falls all the time
    optimizer: tuple[str, float, float] = ("adam", 0.9, 1e-4)  # with its momentum and weight decay
    scale: float = 0.25
    rotation: float = 30
    half_body: float = 0
    rgb: bool = False
    flip_test: bool = False
    boxes: str | None = None  # in measuring, COCO's only: labelled, or found by a detector
    init_weights: bool = True
    codec: tuple[str, str | None, float] = ("heatmap", None, 0)  # with the form and the bias of a soft-argmax


class Row(NamedTuple):
    """What is particular to one of them."""

    params: int
    size: tuple[int, int]  # of the input: width, height
    sigma: float
    batch: int
    recipe: Recipe


SB_MPII = Recipe()
SB_COCO = Recipe(scale=0.3, rotation=40, boxes="labelled")
IN_PADDLE = SB_MPII._replace(steps=(), flip_test=True)
HR_MPII = Recipe(epochs=210, steps=(170, 200), rgb=True, flip_test=True)
HR_COCO = HR_MPII._replace(scale=0.35, rotation=45, half_body=0.3, boxes="labelled")
RMS = {"lr": 2.5e-4, "optimizer": ("rms", 0, 0)}
PP_MPII, PP_COCO = HR_MPII._replace(epochs=160, steps=(120, 150), **RMS), HR_COCO._replace(**RMS)
HG_MPII = SB_MPII._replace(lr=2.5e-4, flip_test=True)
HG_COCO = SB_COCO._replace(lr=2.5e-4, flip_test=True)
HG_TEACHER = HG_MPII._replace(epochs=150, steps=(120, 140))
LP_NET = SB_COCO._replace(epochs=150, codec=("soft_argmax", "lp_net", 0))
LPN_COCO = LP_NET._replace(flip_test=True, boxes="found", codec=("soft_argmax", "lpn", 0))
LPN_MPII = SB_MPII._replace(epochs=150, rgb=True, flip_test=True, init_weights=False, codec=("soft_argmax", "lpn", 1))
FPD_HR_MPII = HR_MPII._replace(epochs=20, lr=1e-5, steps=(5, 10, 15))
FPD_HR_COCO = HR_COCO._replace(boxes="found")

S, M, L, XL = (192, 256), (256, 256), (288, 384), (384, 384)
# Fast pose distillation has files for hourglasses of 384x288 too, which cannot run: 64 does not divide 288.
ROWS = {
    "mpii/resnet50/256x256_d256x3_adam_lr1e-3": Row(33_999_440, M, 2, 128, IN_PADDLE),
    "mpii/resnet50/384x384_d256x3_adam_lr1e-3": Row(33_999_440, XL, 3, 128, SB_MPII),
    "mpii/resnet101/256x256_d256x3_adam_lr1e-3": Row(52_991_568, M, 2, 128, SB_MPII),
    "mpii/resnet101/384x384_d256x3_adam_lr1e-3": Row(52_991_568, XL, 3, 128, SB_MPII),
    "mpii/resnet152/256x256_d256x3_adam_lr1e-3": Row(68_635_216, M, 2, 128, SB_MPII),
    "mpii/resnet152/384x384_d256x3_adam_lr1e-3": Row(68_635_216, XL, 3, 96, SB_MPII),
    "coco/resnet50/256x192_d256x3_adam_lr1e-3": Row(33_999_697, S, 2, 128, SB_COCO),
    "coco/resnet50/256x192_d256x3_adam_lr1e-3_caffe": Row(33_999_697, S, 2, 128, SB_COCO),
    "coco/resnet50/384x288_d256x3_adam_lr1e-3": Row(33_999_697, L, 3, 128, SB_COCO),
    "coco/resnet101/256x192_d256x3_adam_lr1e-3": Row(52_991_825, S, 2, 128, SB_COCO),
    "coco/resnet101/256x192_d256x3_adam_lr1e-3_caffe": Row(52_991_825, S, 2, 128, SB_COCO),
    "coco/resnet101/384x288_d256x3_adam_lr1e-3": Row(52_991_825, L, 3, 128, SB_COCO),
    "coco/resnet152/256x192_d256x3_adam_lr1e-3": Row(68_635_473, S, 2, 128, SB_COCO),
    "coco/resnet152/256x192_d256x3_adam_lr1e-3_caffe": Row(68_635_473, S, 2, 128, SB_COCO),
    "coco/resnet152/384x288_d256x3_adam_lr1e-3": Row(68_635_473, L, 3, 128, SB_COCO),
    "mpii/hrnet/w32_256x256_adam_lr1e-3": Row(28_536_080, M, 2, 128, HR_MPII),
    "mpii/hrnet/w48_256x256_adam_lr1e-3": Row(63_595_696, M, 2, 128, HR_MPII),
    "coco/hrnet/w32_256x192_adam_lr1e-3": Row(28_536_113, S, 2, 128, HR_COCO),
    "coco/hrnet/w32_384x288_adam_lr1e-3": Row(28_536_113, L, 3, 128, HR_COCO),
    "coco/hrnet/w48_256x192_adam_lr1e-3": Row(63_595_745, S, 2, 128, HR_COCO),
    "coco/hrnet/w48_384x288_adam_lr1e-3": Row(63_595_745, L, 3, 96, HR_COCO),
    "mpii/hourglass/hg4_256x256_d256x3_adam_lr2.5e-4": Row(13_018_816, M, 2, 4, HG_MPII),
    "mpii/hourglass/hg8_256x256_d256x3_adam_lr2.5e-4": Row(25_594_624, M, 2, 4, HG_TEACHER),
    "mpii/hourglass/hg4_128_256x256_d256x3_adam_lr2.5e-4": Row(3_287_936, M, 2, 4, HG_MPII),
    "coco/hourglass/hg4_256x192_d256x3_adam_lr2.5e-4": Row(13_020_612, S, 2, 4, HG_COCO),
    "coco/hourglass/hg8_256x192_d256x3_adam_lr2.5e-4": Row(25_598_472, S, 2, 4, HG_COCO),
    "mpii/ppnet/M4_D2_W32_256x256_rms_lr25e-4": Row(12_770_112, M, 2, 32, PP_MPII),
    "coco/ppnet/M2_D2_W32_256x192_rms_lr25e-4": Row(7_026_690, S, 2, 32, PP_COCO),
    "coco/ppnet/M2_D2_W32_384x288_rms_lr25e-4": Row(7_026_690, L, 3, 32, PP_COCO),
    "coco/ppnet/M4_D2_W32_256x192_rms_lr25e-4": Row(12_770_340, S, 2, 32, PP_COCO),
    "coco/ppnet/M4_D2_W32_384x288_rms_lr25e-4": Row(12_770_340, L, 3, 32, PP_COCO),
    "coco/ppnet/M4_D2_W48_384x288_rms_lr25e-4": Row(27_104_500, L, 3, 24, PP_COCO),
    "coco/ppnet/M4_D3_W48_384x288_rms_lr25e-4": Row(39_230_452, L, 3, 24, PP_COCO),
    "coco/lp_net50/256x192_d256x2_adam_lr1e-3_lp": Row(2_897_109, S, 2, 32, LP_NET),
    "coco/lp_net50/256x192_d256x2_adam_lr1e-3_lp_not_gcb": Row(2_731_665, S, 2, 32, LP_NET),
    "coco/lpn/lpn50_256x192_gd256x2_gc": Row(2_911_153, S, 2, 32, LPN_COCO),
    "coco/lpn/lpn101_256x192_gd256x2_gc": Row(5_353_458, S, 2, 32, LPN_COCO),
    "coco/lpn/lpn152_256x192_gd256x2_gc": Row(7_377_459, S, 2, 32, LPN_COCO),
    "mpii/lpn/lpn50_256x256_gd256x2_gc": Row(2_910_896, M, 2, 32, LPN_MPII),
    "fpd_mpii/hourglass/hg8_256_fpd_hg4_128_pretrained": Row(3_287_936, M, 2, 4, HG_MPII),
    "fpd_mpii/hourglass/hg8_256_fpd_hg4_128_not_pretrained": Row(3_287_936, M, 2, 4, HG_MPII),
    "fpd_mpii/hrnet/w48_fpd_w32_256x256": Row(28_536_080, M, 2, 16, FPD_HR_MPII),
    "fpd_coco/hrnet/w48_fpd_w32_256x192": Row(28_536_113, S, 2, 96, FPD_HR_COCO),
}

# Bottom-up: parameters of COCO's, width, pixels of the input and of the heatmaps, weights of the background, GPUs.
WHOLE = {
    "w32/w32_4x_reg_delaysep_bg01_stn_512": (30_678_516, 32, 512, 128, (0.1,), 4),
    "w48/w48_4x_reg_delaysep_bg01_stn_640": (66_803_428, 48, 640, 160, (0.1,), 8),
    "w48/w48_2x_reg_delaysep_bg01_0025_stn_640": (66_895_941, 48, 640, 320, (0.1, 0.025), 8),
}
SCHEDULES = {
    "coco": (12, 140, (90, 120), "train2017", "val2017"),
    "crowdpose": (10, 300, (200, 260), "trainval", "test"),
}
ENDS = {"coco": "adam_lr1e-3_coco_x140", "crowdpose": "adam_lr1e-3_crowdpose_x300"}
WHOLE_NAMES = {f"{data}/{name}_{ENDS[data]}": (data, name) for data in SCHEDULES for name in WHOLE}

# What a student and its teacher must have in common, who see the same crops and are compared map by map.
SHARED_WITH_TEACHER = {
    "dataset": ("dataset", "color_rgb"),
    "model": ("image_size", "heatmap_size", "sigma", "target_type"),
}

# What the repository of fast pose distillation has these experiments in: files, and scripts over its templates.
ORIGINALS = {
    **{
        name: ("configs", f"{name.replace('hg4_128', 'hg4')}.yaml")
        for name in FILES
        if name.startswith(("mpii/h", "coco/h"))
    },
    "fpd_mpii/hourglass/hg8_256_fpd_hg4_128_pretrained": ("scripts", "scripts/fpd_mpii/run_train_hg.sh"),
    "fpd_mpii/hourglass/hg8_256_fpd_hg4_128_not_pretrained": ("scripts", "scripts/fpd_mpii/run_train_hg.sh"),
    "fpd_mpii/hrnet/w48_fpd_w32_256x256": ("scripts", "scripts/fpd_mpii/run_train_hrnet.sh"),
    "fpd_coco/hrnet/w48_fpd_w32_256x192": ("scripts", "scripts/fpd_coco/run_train_hrnet.sh"),
}
SAME_KEYS = """
    PRINT_FREQ WORKERS DATASET.DATASET DATASET.ROOT DATASET.TRAIN_SET DATASET.TEST_SET DATASET.FLIP
    DATASET.SCALE_FACTOR DATASET.ROT_FACTOR DATASET.NUM_JOINTS_HALF_BODY DATASET.COLOR_RGB DATASET.SELECT_DATA
    MODEL.NAME MODEL.IMAGE_SIZE MODEL.HEATMAP_SIZE MODEL.SIGMA MODEL.TARGET_TYPE LOSS.USE_TARGET_WEIGHT LOSS.USE_OHKM
    TRAIN.BEGIN_EPOCH TRAIN.END_EPOCH TRAIN.OPTIMIZER TRAIN.LR TRAIN.LR_STEP TRAIN.LR_FACTOR TRAIN.SHUFFLE
    TEST.FLIP_TEST TEST.POST_PROCESS TEST.SHIFT_HEATMAP
""".split()
COCO_KEYS = "TEST.USE_GT_BBOX TEST.COCO_BBOX_FILE TEST.IMAGE_THRE TEST.IN_VIS_THRE TEST.OKS_THRE".split()
DISTILLING_KEYS = ["KD.ALPHA"]


def recipe(config) -> Recipe:
    data, train, test = config.dataset, config.train, config.test
    boxes = {True: "labelled", False: "found"}[test.use_gt_bbox] if data.dataset == "coco" else None
    return Recipe(
        epochs=train.end_epoch - train.begin_epoch,
        lr=train.lr,
        steps=train.lr_step if train.lr_type == "MultiStepDecay" else (),
        optimizer=(train.optimizer, train.momentum, train.wd),
        scale=data.scale_factor,
        rotation=data.rot_factor,
        half_body=data.prob_half_body,
        rgb=data.color_rgb,
        flip_test=test.flip_test,
        boxes=boxes,
        init_weights=config.model.init_weights,
        codec=(config.codec.name, config.arguments("codec").get("form"), test.bias),
    )


def weights(config) -> int:
    return count(config.model.name, JOINTS[config.dataset.dataset], tuple(config.arguments("model").items()))


@cache
def count(model: str, num_joints: int, arguments: tuple[tuple[str, Any], ...]) -> int:
    network = network_class(model)(num_joints, **dict(arguments))
    return sum(weight.size for weight in network.parameters() if not weight.stop_gradient)


def test_every_file_has_a_row():
    """But those of `OURS`."""
    assert set(PUBLISHED) == set(ROWS)


@pytest.mark.parametrize("name", PUBLISHED)
def test_training_and_measuring(name):
    row, config = ROWS[name], load_config(FILES[name])
    assert recipe(config) == row.recipe
    assert config.model.image_size == row.size
    assert config.model.heatmap_size == (row.size[0] // 4, row.size[1] // 4)
    assert config.model.sigma == row.sigma
    assert config.train.batch_size == row.batch
    assert config.model.pretrained is None  # a path must exist in training; comments name the files
    assert config.dataset.root == Path("data", config.dataset.dataset)
    assert config.test.coco_bbox_file == (DETECTIONS if row.recipe.boxes else None)
    assert config.arguments("codec").get("beta", 160) == 160


@pytest.mark.parametrize("name", PUBLISHED)
def test_network(name):
    """It has as many weights as the published one; experiments on the same network build it once."""
    config = load_config(FILES[name])
    assert weights(config) == ROWS[name].params
    style = "caffe" if name.endswith("_caffe") else "pytorch"
    assert config.arguments("model").get("style", style) == style


@pytest.mark.parametrize("name", sorted(set(FILES) - set(PUBLISHED)))
def test_network_of_our_own(name):
    assert weights(load_config(FILES[name])) > 0


def test_every_bottom_up_file_is_a_published_one():
    """But those of `mini/`, which are our own."""
    others = {f"{data}/rescore_{data}" for data in SCHEDULES} | {f"inference_demo_{data}" for data in SCHEDULES}
    assert {name for name in BOTTOM_UP if not name.startswith("mini/")} == set(WHOLE_NAMES) | others


@pytest.mark.parametrize("name", sorted(WHOLE_NAMES))
def test_bottom_up_experiments(name):
    data, network = WHOLE_NAMES[name]
    config, (params, width, size, heatmap, background, gpus) = load_config(FILES[name]), WHOLE[network]
    batch, epochs, steps, train, test = SCHEDULES[data]
    assert (config.dataset.dataset, config.dataset.train_set, config.dataset.test_set) == (data, train, test)
    assert config.arguments("model")["width"] == width
    assert (config.model.image_size, config.model.heatmap_size) == ((size, size), (heatmap, heatmap))
    codec = config.codec_settings()
    # CrowdPose's centre has the sigma of its joints, and everybody has one; COCO leaves out the smallest.
    assert codec["center_sigma"] == {"coco": 4, "crowdpose": 2}[data] and codec["bg_weight"] == background
    assert config.dataset.center_least_area == {"coco": 32**2, "crowdpose": 0}[data]
    assert (config.train.batch_size, config.train.end_epoch, config.train.lr_step) == (gpus * batch, epochs, steps)
    assert (config.train.optimizer, config.train.lr, config.train.lr_factor) == ("adam", 1e-3, 0.1)
    augmentation = config.dataset.rot_factor, config.dataset.min_scale, config.dataset.max_scale
    assert augmentation == (30, 0.75, 1.5) and config.dataset.max_translate == 40
    assert (config.loss.heatmaps_loss_factor, config.loss.offsets_loss_factor) == (1, 0.01)
    assert config.test.flip_test and config.dataset.color_rgb and config.dataset.data_format == "zip"
    assert data == "crowdpose" or weights(config) == params


@pytest.mark.parametrize("data", SCHEDULES)
def test_demonstrations_and_rescoring_are_of_the_published_network(data):
    demo = load_config(FILES[f"inference_demo_{data}"])
    network = next(name for name, of in WHOLE_NAMES.items() if of[0] == data and "w32" in name)
    assert demo.codec_settings() == load_config(FILES[network]).codec_settings()
    assert demo.arguments("model") == load_config(FILES[network]).arguments("model")
    rescoring = load_config(FILES[f"{data}/rescore_{data}"]).rescore
    assert rescoring == load_config(FILES[network]).rescore


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.startswith("fpd_")))
def test_teacher_fits_its_student(name):
    student = load_config(FILES[name])
    teacher = load_config(ROOT / student.kd.teacher_cfg)
    for section, keys in SHARED_WITH_TEACHER.items():
        for key in keys:
            assert getattr(getattr(teacher, section), key) == getattr(getattr(student, section), key), key
    assert student.train.checkpoint is None or student.kd.teacher_file.parent == student.train.checkpoint.parent


def test_table_of_published_weights_names_experiments():
    folder, named = "", set()
    for line in (ROOT / "docs" / "checkpoints.md").read_text().splitlines():
        if heading := re.search(r"experiment in `experiments/(.*?)`", line):
            folder = heading[1]
        elif row := re.match(r"\| `\S+` .*?\| `(\S+)\.yaml` \|", line):
            named.add(folder + row[1])
    unpublished = {name for name in ROWS if name.endswith("_caffe") or "hourglass/hg4_256" in name}
    unpublished |= {"coco/hourglass/hg8_256x192_d256x3_adam_lr2.5e-4", "fpd_mpii/hrnet/w48_fpd_w32_256x256"}
    assert named == (set(ROWS) - unpublished) | set(WHOLE_NAMES)


@pytest.mark.parametrize("name", sorted(ORIGINALS))
def test_as_in_the_repository_of_fast_pose_distillation(golden, name):
    originals = golden("fpd/experiments.json")
    kind, original = ORIGINALS[name]
    found = originals[kind][original]
    theirs = originals["defaults"] | (found["student"] if kind == "scripts" else found)
    ours = load_config(FILES[name]).model_dump(mode="json", by_alias=True)
    keys = SAME_KEYS + (COCO_KEYS if "coco" in name else []) + (DISTILLING_KEYS if kind == "scripts" else [])
    assert {key: value(ours, key) for key in keys} == {key: theirs[key] for key in keys}
    assert value(ours, "DATASET.PROB_HALF_BODY") == max(theirs["DATASET.PROB_HALF_BODY"], 0)
    gpus = 4 if "/hrnet/" in name and kind == "configs" else len(theirs["GPUS"])  # HRNet's own files have four
    assert value(ours, "TRAIN.BATCH_SIZE") == theirs["TRAIN.BATCH_SIZE_PER_GPU"] * gpus
    if kind == "scripts":
        start = theirs["TRAIN.CHECKPOINT"] if "not_pretrained" not in name else None
        assert value(ours, "TRAIN.CHECKPOINT") == start
        assert value(ours, "KD.TEACHER_FILE") == theirs["KD.TEACHER"]


def value(settings: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        settings = settings[part]
    return settings
