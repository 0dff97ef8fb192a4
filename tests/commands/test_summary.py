"""The table of networks, held against every published row that gives parameters or operations."""

import contextlib
import io
import re
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from paddlepose.commands import main

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"

# Experiment, millions of parameters (not printed for a network's second size) and GFLOPs, and how both were cut.
PPNET_TABLES = [
    ("mpii/resnet152/256x256_d256x3_adam_lr1e-3", "68.6", "21.0", ROUND_DOWN),
    ("mpii/hrnet/w32_256x256_adam_lr1e-3", "28.5", "9.5", ROUND_HALF_UP),
    ("mpii/ppnet/M4_D2_W32_256x256_rms_lr25e-4", "12.7", "6.7", ROUND_DOWN),
    ("coco/resnet50/256x192_d256x3_adam_lr1e-3", "33.9", "8.9", ROUND_DOWN),
    ("coco/resnet50/384x288_d256x3_adam_lr1e-3", None, "20.2", ROUND_DOWN),
    ("coco/hrnet/w32_256x192_adam_lr1e-3", "28.5", "7.1", ROUND_HALF_UP),
    ("coco/hrnet/w32_384x288_adam_lr1e-3", None, "16.0", ROUND_HALF_UP),
    ("coco/hrnet/w48_384x288_adam_lr1e-3", "63.6", "32.9", ROUND_HALF_UP),
    ("coco/ppnet/M2_D2_W32_256x192_rms_lr25e-4", "7.0", "3.3", ROUND_DOWN),
    ("coco/ppnet/M2_D2_W32_384x288_rms_lr25e-4", None, "7.5", ROUND_DOWN),
    ("coco/ppnet/M4_D2_W32_256x192_rms_lr25e-4", "12.7", "5.0", ROUND_DOWN),
    ("coco/ppnet/M4_D2_W32_384x288_rms_lr25e-4", None, "11.3", ROUND_DOWN),
    ("coco/ppnet/M4_D2_W48_384x288_rms_lr25e-4", "27.1", "20.6", ROUND_DOWN),
    ("coco/ppnet/M4_D3_W48_384x288_rms_lr25e-4", "39.2", "28.1", ROUND_DOWN),
]
FPD_TABLE = [
    ("coco/hrnet/w48_256x192_adam_lr1e-3", "63.6", "14.6", ROUND_HALF_UP),
    ("fpd_coco/hrnet/w48_fpd_w32_256x192", "28.5", "7.1", ROUND_HALF_UP),
]
LPN_TABLE = [
    ("coco/lpn/lpn50_256x192_gd256x2_gc", "2.9", "1.0", ROUND_HALF_UP),
    ("coco/lpn/lpn101_256x192_gd256x2_gc", "5.3", "1.4", ROUND_DOWN),  # 5,353,458 parameters
    ("coco/lpn/lpn152_256x192_gd256x2_gc", "7.4", "1.8", ROUND_HALF_UP),
    ("mpii/lpn/lpn50_256x256_gd256x2_gc", "2.9", "1.3", ROUND_HALF_UP),
]
PRINTED = [*PPNET_TABLES, *FPD_TABLE, *LPN_TABLE]


def table(*arguments):
    """The printed rows, each a dictionary by the titles of the columns, and the lines below."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["summary", *map(str, arguments)]) == 0
    lines, _, rules = printed.getvalue().partition("\n\n")
    titles, line, *rows = [row.strip("| ").split(" | ") for row in lines.splitlines()]
    assert set(line) == {"---"}
    return [dict(zip(titles, row, strict=True)) for row in rows], rules


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Rows by experiment, of a folder `experiments` that has the published tables' only."""
    folder = tmp_path_factory.mktemp("summary")
    for name, *_ in PRINTED:
        link = folder / "experiments" / f"{name}.yaml"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(EXPERIMENTS / f"{name}.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        rows, _ = table("--all", "--no-time")
    return {name: row for row in rows for name in row["Experiments"].split(", ")}


@pytest.mark.parametrize(("experiment", "millions", "gflops", "cut"), PRINTED, ids=[row[0] for row in PRINTED])
def test_published_row(networks, experiment, millions, gflops, cut):
    row = networks[experiment]
    height, width = re.search(r"(\d+)x(\d+)", experiment).groups()
    assert (row["Input"], row["Joints"]) == (f"{height}x{width}", "16" if "mpii" in experiment else "17")
    tenth = Decimal("0.1")
    assert Decimal(row["GFLOPs"]).quantize(tenth, cut) == Decimal(gflops)
    parameters = Decimal(row["Parameters"].replace(",", "")) / 10**6
    assert millions is None or parameters.quantize(tenth, cut) == Decimal(millions)
    assert row["M"] == f"{parameters:.2f}"


def test_the_documentation_has_these_rows(networks):
    documented = (ROOT / "docs" / "networks.md").read_text()
    for experiment, row in networks.items():
        (line,) = [line for line in documented.splitlines() if re.search(rf"[ ]{re.escape(experiment)}[, ]", line)]
        assert " | ".join([*row.values()][1:]) in line, experiment


def test_golden_of_the_published_rows(networks, golden):
    """goldens/ppnet/summary_table.json has the rows of its two tables, in their order."""
    expected = golden("ppnet/summary_table.json")["seed_rows"]
    for (experiment, *_), wanted in zip(PPNET_TABLES, expected, strict=True):
        row = networks[experiment]
        assert row["Parameters"] == f"{wanted['params']:,}"
        assert row["GFLOPs"] == f"{wanted['macs_counted'] / 2**30:.4f}"
        once = wanted.get("gflops_if_transposed_conv_counted_at_input_size", wanted["macs_counted"] / 2**30)
        assert float(row["GMACs"]) == pytest.approx(once * 2**30 / 1e9, abs=1e-3), experiment


def test_golden_of_distillation(networks, golden):
    rows = golden("fpd/complexity.json")["rows"]
    for (experiment, *_), key in zip(FPD_TABLE, ("w48_256x192_j17", "w32_256x192_j17"), strict=True):
        wanted = rows[f"pose_hrnet_{key}"]
        assert networks[experiment]["Parameters"] == f"{wanted['params']:,}"
        assert networks[experiment]["GMACs"] == f"{wanted['macs'] / 1e9:.4f}"


def test_golden_of_lightweight_networks(networks, golden):
    rows = [row for row in golden("lpn/params_gflops.json") if (row["family"], row["variant"]) == ("lpn", "GC")]
    wanted = {(row["layers"], row["input_hxw"]): row for row in rows}
    for experiment, *_ in LPN_TABLE:
        layers, size = re.search(r"lpn(\d+)_(\w+?)_", experiment).groups()
        row = wanted[int(layers), size]
        assert networks[experiment]["Parameters"] == f"{row['params']:,}"
        assert float(networks[experiment]["GFLOPs"]) == row["reference_summary_gi"]
        assert networks[experiment]["GMACs"] == f"{row['gmacs']:.4f}"


TINY = "DATASET: {{DATASET: mpii}}\nMODEL: {{DEPTH: {depth}, IMAGE_SIZE: [{size}, 64], HEATMAP_SIZE: [{heatmap}, 16]}}"


@pytest.fixture
def tiny(tmp_path):
    """Three experiments on two networks, one of them in a folder below."""
    for name, depth, size in (("b", 34, 64), ("a.lr1e-3", 18, 64), ("below/c", 18, 64)):
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(TINY.format(depth=depth, size=size, heatmap=size // 4))
    return tmp_path


def test_experiments_on_one_network_share_a_row(tiny):
    rows, _ = table("--all", tiny, "--no-time")
    assert [row["Experiments"] for row in rows] == ["a.lr1e-3, below/c", "b"]


def test_a_row_for_each_size(tiny):
    (tiny / "d.yaml").write_text(TINY.format(depth=18, size=32, heatmap=8))
    rows, _ = table("--all", tiny, "--no-time")
    assert [(row["Experiments"], row["Input"]) for row in rows] == [
        ("d", "64x32"),
        ("a.lr1e-3, below/c", "64x64"),
        ("b", "64x64"),
    ]
    assert rows[0]["Parameters"] == rows[1]["Parameters"]


def test_one_experiment_is_timed(tiny):
    (row,), rules = table("--cfg", tiny / "b.yaml", "MODEL.DEPTH", "18")
    assert row["Experiments"] == "b" and row["M"] == "15.38"
    assert float(row["ms"]) >= 0
    assert "a forward pass on" in rules and "MKL_NUM_THREADS" in rules


def test_no_time(tiny):
    (row,), rules = table("--cfg", tiny / "b.yaml", "--no-time")
    assert "ms" not in row and "2^30" in rules and "MKL" not in rules


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_experiments(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["summary", "--all", folder]) == 1
    assert capsys.readouterr().err == f"error: {folder}: no such folder, or none with .yaml files\n"


@pytest.mark.parametrize("arguments", [[], ["--cfg", "a.yaml", "--all"]])
def test_one_of_both_options(arguments, capsys):
    with pytest.raises(SystemExit):
        main(["summary", *arguments])
    assert "--cfg" in capsys.readouterr().err
