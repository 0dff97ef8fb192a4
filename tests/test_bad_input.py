"""What the user sees of a mistake: a line that says what is wrong and what to do, status 1, and nothing half-written.

Commands run in this process, as `paddlepose` runs them.
"""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import tiny_data
import tiny_onnx

from paddlepose.commands import main
from paddlepose.core.image import read_picture
from paddlepose.engine import distributed

WRITTEN = {".pdparams", ".onnx", ".json", ".jpg"}  # what must be whole or as it was; logs may be begun


@pytest.fixture
def project(tmp_path):
    """A data set, a configuration of it and one of its pictures."""
    data = tiny_data.write_coco(tmp_path / "data")
    return SimpleNamespace(
        folder=tmp_path,
        data=data,
        labels=data / "annotations" / "person_keypoints_tiny.json",
        picture=data / "images" / "000000000001.jpg",
        cfg=tiny_data.write_config(tmp_path / "tiny.yaml", data),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Weights that a training has left."""
    folder = tmp_path_factory.mktemp("trained")
    cfg = tiny_data.write_config(folder / "tiny.yaml", tiny_data.write_coco(folder / "data"))
    assert main(["train", "--cfg", str(cfg)]) == 0
    return folder / "output" / "coco" / "pose_resnet_18" / "tiny" / "final_state.pdparams"


@pytest.fixture
def refused(tmp_path, capsys):
    """Lines on the error stream of a command that must fail, without `error: `."""

    def run(*arguments):
        before = written(tmp_path)
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert all(line.startswith("error: ") for line in lines), lines
        assert written(tmp_path) == before
        return [line.removeprefix("error: ") for line in lines]

    return run


def written(folder):
    """Files that commands write, with their content's hash, but for the poses of an epoch that was measured."""
    files = (path for path in folder.rglob("*") if path.suffix in WRITTEN and path.parent.name != "results")
    return {path: hash(path.read_bytes()) for path in files}


def match(lines, *patterns):
    """Each line has its pattern."""
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.search(pattern, line), line


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        (
            "MODEL: {DEPHT: 18}\nTRAIN: {LR: fast}\nTRIAN: {}",
            [
                r"bad.yaml: MODEL.DEPHT: no such setting, did you mean 'DEPTH'\?",
                "bad.yaml: TRAIN.LR: .*valid number.* 'fast'",
                r"TRIAN: no such setting, did you mean 'TRAIN'\?",
            ],
        ),
        ("MODEL: {IMAGE_SIZE: [64, 96]}", [r"HEATMAP_SIZE \(64, 64\).*aspect.*IMAGE_SIZE.*\(16, 24\)"]),
        ("MODEL: {NAME: pose_resnt}", [r"MODEL.NAME: no models named 'pose_resnt', did you mean 'pose_resnet'"]),
        ("DATASET: {DATASET: cocoo}", [r"DATASET.DATASET: no datasets named 'cocoo', did you mean 'coco'"]),
        ("CODEC: {NAME: heatmapp}", [r"CODEC.NAME: no codecs named 'heatmapp', did you mean 'heatmap'"]),
        ("TRAIN: {BEGIN_EPOCH: 5, END_EPOCH: 5}", ["TRAIN.BEGIN_EPOCH 5 is not before TRAIN.END_EPOCH 5"]),
        ("DATASET: {DATASET: coco}", ["COCO_BBOX_FILE is missing; give it, or measure with TEST.USE_GT_BBOX: true"]),
        ("MODEL: {DEPTH: 18, EXTRA: {NUM_LAYERS: 50}}", ["MODEL.DEPTH is 18, but MODEL.EXTRA.NUM_LAYERS is 50"]),
        ("MODEL: [1, 2", ["bad.yaml: not YAML: expected .* at line 1, column 13"]),
        ("MODEL: 3", ["bad.yaml: MODEL: expected keys and values"]),
        ("MODEL: {EXTRA: 3}", ["bad.yaml: MODEL.EXTRA: expected keys and values"]),
        ("TRAIN: 3", ["bad.yaml: TRAIN: .*dictionary"]),
        ("only words", ["bad.yaml: expected keys and values"]),
        (b"\xff\xfe\x00", ["bad.yaml: not YAML"]),
    ],
)
def test_a_wrong_configuration(refused, project, text, patterns):
    bad = project.folder / "bad.yaml"
    bad.write_bytes(text if isinstance(text, bytes) else text.encode())
    match(refused("train", "--cfg", bad), *patterns)
    assert not (project.folder / "output").exists()


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        (["TRAIN.LRR", "1"], "TRAIN.LRR: no such setting, did you mean 'LR'"),
        (["TRAIN.LR"], "'TRAIN.LR' has no value; settings are given as KEY VALUE"),
        (["TRAIN.LR", "[1,"], "TRAIN.LR: not YAML"),
        (["TRAIN.LR", "0"], "TRAIN.LR: Input should be greater than 0"),
        (["MODEL", "3"], "MODEL: expected keys and values"),
        (["MODEL.DEPTH.X", "3"], "DEPTH: expected keys and values.*not 18"),
        (["MODEL.NUM_JOINTS", "16"], "MODEL.NUM_JOINTS is 16, but coco has 17 joints: leave it out"),
        (["MODEL.HEATMAP_SIZE", "[32, 32]"], r"HEATMAP_SIZE \(32, 32\): pose_resnet_18 makes heatmaps of \(16, 16\)"),
        (
            ["MODEL", "{NAME: pose_hrnet, IMAGE_SIZE: [72, 72], HEATMAP_SIZE: [18, 18]}"],
            r"IMAGE_SIZE \(72, 72\): pose_hrnet takes multiples of 32, such as \(96, 96\)",
        ),
        (["MODEL.NUM_DECONV_LAYERS", "2"], r"NUM_DECONV_FILTERS \[8, 8, 8\]: expected NUM_DECONV_LAYERS = 2"),
        (["MODEL.PRETRAINED", "none.pdparams"], "none.pdparams: no such file of weights"),
        (["DEVICE", "gpu"], "DEVICE gpu: this PaddlePaddle finds no GPU; install paddlepaddle-gpu"),
        (["DEVICE", "cpu", "TRAIN.AMP", "fp16"], "TRAIN.AMP fp16: needs a GPU"),
        (["DATASET.ROOT", "nowhere"], "nowhere: no such data folder; data/README.md says"),
        (["DATASET.TRAIN_SET", "x"], r"person_keypoints_x.json: no such file \(nor annotations/x.json, .*\)"),
        (["TEST.USE_GT_BBOX", "false", "TEST.COCO_BBOX_FILE", "no.json"], "no.json: No such file"),
        (["--resume_model", "nowhere"], "--resume_model nowhere: expected a folder that has checkpoint.pdparams"),
        (["TRAIN.LR", "1e30"], "epoch 0, step 1: the loss is (inf|nan); try a lower TRAIN.LR"),
    ],
)
def test_a_wrong_setting_of_a_training(refused, project, monkeypatch, settings, pattern):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    match(refused("train", "--cfg", project.cfg, *settings), pattern)


def test_a_missing_configuration(refused):
    match(refused("train", "--cfg", "none.yaml"), "none.yaml: no such configuration; experiments/ has")


def test_an_unknown_command(refused):
    match(refused("trian"), "no commands named 'trian', did you mean 'train'")


def test_a_package_that_is_not_installed(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "paddle", None)
    monkeypatch.delitem(sys.modules, "paddlepose.commands.train", raising=False)
    match(refused("train"), r"this command needs the package paddle: pip install 'paddlepose\[train\]'")


def test_no_command_is_a_question(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["paddlepose"])
    assert main() == 0
    assert "usage: paddlepose COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["train", "valid", "infer", "export"])
def test_a_gpu_that_is_not_there(refused, project, monkeypatch, command):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    options = ["--img", project.picture] if command == "infer" else []
    match(refused(command, "--cfg", project.cfg, "--gpus", "0", *options), "DEVICE gpu: this PaddlePaddle finds no GPU")


@pytest.mark.parametrize("key", ["TRAIN.BATCH_SIZE", "TEST.BATCH_SIZE"])
def test_a_batch_that_processes_cannot_share(refused, project, monkeypatch, key):
    monkeypatch.setattr(distributed, "world", lambda: 2)
    monkeypatch.setattr(distributed, "start", lambda: None)
    monkeypatch.setattr(distributed, "gather", lambda item: [item])
    match(refused("train", "--cfg", project.cfg, key, 3), f"{key} 3: 2 processes cannot share it evenly; .* of 2")


def person(**fields):
    """Changes of the first annotation; a field of None is left out."""

    def change(labels):
        row = {**labels["annotations"][0], **fields}
        labels["annotations"] = [{key: value for key, value in row.items() if value is not None}]

    return change


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda labels: labels.update(annotations=[]), "tiny.json: has nobody with a box"),
        (lambda labels: labels.update(images=[]), "tiny.json: has no 'images'"),
        (lambda labels: labels.update(annotations=3), "tiny.json: 'annotations': expected a list of objects"),
        (lambda labels: labels.update(categories=[3]), "tiny.json: 'categories': expected a list of objects"),
        (lambda labels: labels["images"][0].update(file_name="no.jpg"), "no.jpg: no such picture; 1 of 4 .*tiny.json"),
        (person(bbox=[1, 2]), "tiny.json: annotation 1: bbox: expected 4 numbers"),
        (person(keypoints=[1, 2, 3]), "tiny.json: annotation 1: "),
        (person(image_id=99), "tiny.json: annotation 1: the labels have no image 99"),
    ],
)
def test_labels_that_cannot_be_used(refused, project, change, pattern):
    labels = json.loads(project.labels.read_text())
    change(labels)
    project.labels.write_text(json.dumps(labels))
    match(refused("train", "--cfg", project.cfg), pattern)


def test_labels_that_are_no_json(refused, project):
    project.labels.write_text('{"images": [')
    match(refused("train", "--cfg", project.cfg), r"tiny.json: not JSON: .* at line 1, column 13")


def test_the_ground_truth_is_missed_before_training(refused, project):
    data = tiny_data.write_mpii(project.folder / "mpii")
    (data / "annot" / "gt_valid.mat").unlink()
    dataset = {"DATASET": "mpii", "ROOT": str(data), "TRAIN_SET": "train", "TEST_SET": "valid"}
    cfg = tiny_data.write_config(project.folder / "mpii.yaml", data, DATASET=dataset)
    match(refused("train", "--cfg", cfg), "gt_valid.mat: no such file")
    assert not (project.folder / "log").exists()


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("command", ["train", "valid"])
def test_a_broken_picture(refused, project, trained, command):
    cut(project.picture)
    settings = ["TEST.MODEL_FILE", trained]
    pattern = "000000000001.jpg: the JPEG file is cut off: copy or download it again"
    match(refused(command, "--cfg", project.cfg, *settings), pattern)


def test_a_broken_picture_in_a_worker_process_ends_the_run(project):
    """In a process of its own: nothing must hang when it ends."""
    cut(project.picture)
    program = [sys.executable, "-c", "import sys; from paddlepose.commands import main; sys.exit(main())"]
    arguments = ["train", "--cfg", str(project.cfg), "WORKERS", "2"]
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=120, check=False)
    errors = done.stderr.splitlines()
    assert done.returncode == 1 and len(errors) == 1
    assert "000000000001.jpg: the JPEG file is cut off" in errors[0]


def test_weights_of_another_network(refused, project, trained):
    (line,) = refused("valid", "--cfg", project.cfg, "--model-file", trained, "MODEL.DEPTH", 34)
    assert re.search("final_state.pdparams: these are not the weights of this network: 117 weights loaded", line)
    keys = re.search("80 missing: (.*) and 70 more", line)[1]
    assert len(keys.split(", ")) == 10 and keys.startswith("layer1.2.conv1.weight")


class Payload:
    """When unpickled, it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (np.random.default_rng(0).bytes(4000), "not a file of weights, or cut off .*: copy it again"),
        (b"", "not a file of weights, or cut off"),
        (pickle.dumps([1, 2]), "expected weights by name, found a list"),
        (pickle.dumps({"a": np.zeros(2)}), "these are not the weights of this network: 0 weights loaded"),
    ],
)
def test_files_that_are_no_weights(refused, project, content, pattern):
    bad = project.folder / "bad.pdparams"
    bad.write_bytes(content)
    for command in ("valid", "export"):
        match(refused(command, "--cfg", project.cfg, "--model-file", bad), f"bad.pdparams: {pattern}")


def test_weights_that_are_cut_off(refused, project, trained):
    bad = project.folder / "bad.pdparams"
    bad.write_bytes(trained.read_bytes()[:-1000])
    match(
        refused("valid", "--cfg", project.cfg, "--model-file", bad), "bad.pdparams: not a file of weights, or cut off"
    )


def test_weights_that_run_code_are_not_read(refused, project):
    bad, proof = project.folder / "bad.pdparams", project.folder / "proof"
    bad.write_bytes(pickle.dumps({"conv1.weight": Payload(proof)}))
    match(
        refused("valid", "--cfg", project.cfg, "--model-file", bad), "bad.pdparams: refused, not read: it asks to run"
    )
    assert not proof.exists()
    pickle.loads(bad.read_bytes())  # the payload is a real one
    assert proof.exists()


def test_the_portable_form_is_for_bottom_up_networks(refused, project):
    match(refused("export", "--cfg", project.cfg, "--portable"), "--portable is for bottom-up networks: ")


@pytest.mark.parametrize("command", ["valid", "infer", "export"])
def test_no_training_yet(refused, project, command):
    options = ["--img", project.picture] if command == "infer" else []
    pattern = "final_state.pdparams: no such file of weights; train first, or name another as TEST.MODEL_FILE"
    match(refused(command, "--cfg", project.cfg, *options), pattern)


@pytest.mark.parametrize(
    ("card", "pattern"),
    [
        (None, "the file has no card that says how to use it: write it with `paddlepose export`"),
        (tiny_onnx.CARD.to_json().replace('"format": 1', '"format": 99'), "format 99.*: update paddlepose"),
    ],
)
def test_models_without_a_card_that_can_be_read(refused, project, card, pattern):
    model = tiny_onnx.write_model(project.folder / "a.onnx", card)
    match(refused("deploy", "--model", model, "--img", project.picture), f"a.onnx: .*{pattern}")
    match(refused("valid", "--cfg", project.cfg, "--model-file", model), f"a.onnx: .*{pattern}")


def test_a_model_of_another_configuration(refused, project):
    model = tiny_onnx.write_model(project.folder / "a.onnx")
    pattern = r"a.onnx: its card's input_size is \(48, 64\), but the configuration asks for \(64, 64\)"
    match(refused("valid", "--cfg", project.cfg, "--model-file", model), pattern)


def test_cuda_that_is_not_there(refused, project, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    model = tiny_onnx.write_model(project.folder / "a.onnx")
    arguments = ["--model", model, "--img", project.picture, "--device", "cuda"]
    match(refused("deploy", *arguments), "onnxruntime cannot use CUDA here: .*pip install onnxruntime-gpu")


def people(path):
    return json.loads(path.read_text())["people"]


def test_without_boxes_the_finder_of_the_package_is_asked(project, trained, caplog):
    caplog.set_level("INFO")
    out, photo = project.folder / "poses", Path(__file__).parents[1] / "images" / "table.jpg"
    arguments = ["--cfg", project.cfg, "--model-file", trained, "--img", photo, "--out", out]
    assert main(["infer", *map(str, arguments)]) == 0
    assert len(people(out / "table_result.json")) >= 3
    assert "the package's `finder` finds the people" in caplog.text


@pytest.mark.parametrize("box", [[200, 10, 20, 20], [10, 10, 0, 20], [10, 10, 20, -5]])
def test_boxes_that_show_nothing_are_left_out(project, caplog, box):
    model = tiny_onnx.write_model(project.folder / "a.onnx")
    boxes, out = project.folder / "boxes.json", project.folder / "poses"
    boxes.write_text(json.dumps({project.picture.name: [box, [10, 10, 40, 40]]}))
    arguments = ["--model", model, "--img", project.picture, "--boxes", boxes, "--out", out]
    assert main(["deploy", *map(str, arguments)]) == 0
    assert len(people(out / "000000000001_result.json")) == 1
    assert "000000000001.jpg: box" in caplog.text and "left out" in caplog.text


@pytest.fixture
def small_disk(tmp_path):
    """Folder on a disk of its own, and a function that fills the disk but for some bytes."""
    if os.geteuid():
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", folder], check=False).returncode:
        pytest.skip("this machine allows no mount")

    def fill(leave=0):
        (folder / "filling").write_bytes(bytes(shutil.disk_usage(folder).free - leave))

    yield SimpleNamespace(folder=folder, fill=fill)
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_keeps_the_last_checkpoint(refused, project, small_disk):
    settings = ["OUTPUT_DIR", small_disk.folder / "output", "TRAIN.OPTIMIZER", "sgd"]
    assert main(["train", "--cfg", str(project.cfg), *map(str, settings)]) == 0
    small_disk.fill(leave=1 << 20)
    lines = refused("train", "--cfg", project.cfg, *settings, "--resume", "TRAIN.END_EPOCH", 2)
    match(lines, "(checkpoint|model_best).pdparams was not written: No space left on device")


def test_a_full_disk_silences_the_log_file_only(refused, project, small_disk):
    small_disk.fill(leave=4096)  # enough for config.yaml
    lines = refused("train", "--cfg", project.cfg, "OUTPUT_DIR", small_disk.folder / "output")
    match([line for line in lines if "log" not in line], "was not written: No space left on device")


def test_a_full_disk_keeps_the_last_export(refused, project, trained, small_disk):
    out = small_disk.folder / "a.onnx"
    out.write_bytes(b"the last export")
    small_disk.fill()
    arguments = ["--cfg", project.cfg, "--model-file", trained, "--out", out]
    match(refused("export", *arguments), "a.onnx was not written: No space left on device")


def test_a_full_disk_keeps_the_last_poses(refused, project, small_disk):
    model = tiny_onnx.write_model(project.folder / "a.onnx")
    arguments = ["deploy", "--model", model, "--img", project.picture, "--out", small_disk.folder / "poses"]
    assert main(list(map(str, arguments))) == 0
    small_disk.fill()
    match(refused(*arguments), "000000000001_result.jpg was not written: No space left on device")


def test_a_png_that_claims_more_than_it_can_hold(tmp_path):
    """OpenCV would make room for all of it first: 1.6 GB for 16 bits of four channels, and copies of that."""
    _, data = cv2.imencode(".png", np.zeros((8, 8, 4), np.uint16))
    data = bytearray(data.tobytes())
    data[16:24] = (14_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"a.png: the PNG file is damaged or cut off: 14000x14000 pixels are not in"):
        read_picture(tmp_path / "a.png")
    data += bytes(2_000_000)
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"a.png: its pixels take 1,568,000,000 bytes, at most 1,073,741,824 are read"):
        read_picture(tmp_path / "a.png")


def test_a_png_whose_chunk_claims_more_than_the_file_has(tmp_path):
    """OpenCV would make room for 4 GB."""
    _, data = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))
    data = bytearray(data.tobytes())
    data[33:37] = b"\xff" * 4
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"a.png: the PNG file is damaged or cut off: 8x8 pixels are not in it"):
        read_picture(tmp_path / "a.png")
