"""The `train` command: from a checkpoint, in stages, and under teachers of all kinds."""

import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import scipy.io
import tiny_data
import tiny_onnx
import yaml

from paddlepose import load_config
from paddlepose.commands import main
from paddlepose.commands import train as command
from paddlepose.engine import distributed, weights
from paddlepose.engine.job import Job
from paddlepose.engine.pickles import read_pickle
from paddlepose.engine.report import TrainWatch
from paddlepose.engine.teacher import Teacher

STUDENT = {
    "NAME": "hourglass",
    "NUM_STACKS": 1,
    "NUM_FEATURES": 8,
    "IMAGE_SIZE": [64, 64],
    "HEATMAP_SIZE": [16, 16],
    "SIGMA": 1,
}
TEACHER = {**STUDENT, "NUM_STACKS": 2}
LARGER = {**TEACHER, "IMAGE_SIZE": [128, 128], "HEATMAP_SIZE": [32, 32], "SIGMA": 2}
STILL = {"FLIP": False, "SCALE_FACTOR": 0, "ROT_FACTOR": 0}


def experiment(path, data, model, **sections):
    """YAML file of a training of two epochs of two steps on the COCO set in `data`."""
    train = {"END_EPOCH": 2, "LR_STEP": [1], **sections.pop("TRAIN", {})}
    tiny_data.write_config(path, data, **sections, TRAIN=train)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"MODEL": model}))
    return path


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A data set, pictures without labels, and teachers: YAML files with weights, one of them exported too."""
    folder = tmp_path_factory.mktemp("shared")
    data = tiny_data.write_coco(folder / "data")
    (folder / "new").mkdir()
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        cv2.imwrite(str(folder / "new" / name), np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8))
    (folder / "boxes.json").write_text(json.dumps({"1.jpg": [[5, 5, 40, 40], [10, 0, 50, 50]]}))
    rgb = {"COLOR_RGB": True}
    kinds = {"same": (TEACHER, {}), "rgb": (TEACHER, rgb), "larger": (LARGER, rgb)}
    for name, (model, colours) in kinds.items():
        experiment(folder / f"{name}.yaml", data, model, DATASET=colours)
    network = Job(load_config(folder / "same.yaml"), "same").network()
    weights.save(network.state_dict(), folder / "teacher.pdparams")
    job = ["--cfg", folder / "larger.yaml", "--model-file", folder / "teacher.pdparams"]
    assert main([str(word) for word in ("export", *job, "--out", folder / "teacher.onnx")]) == 0
    return SimpleNamespace(folder=folder, data=data, teacher=folder / "teacher.pdparams", onnx=folder / "teacher.onnx")


def taught_by(shared, name="same"):
    """Settings that name a teacher."""
    return ["KD.TEACHER_CFG", shared.folder / f"{name}.yaml", "KD.TEACHER_FILE", shared.teacher]


@pytest.fixture
def student(tmp_path, shared):
    """`student("a", *arguments)` trains in a folder of that name, into the folder of its results, which it returns."""

    def train(name, *arguments, **sections):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        cfg = experiment(folder / "tiny.yaml", shared.data, STUDENT, **sections)
        assert main(["train", "--cfg", str(cfg), *(str(word) for word in arguments)]) == 0
        return folder / "output" / "coco" / "hourglass" / "tiny"

    return train


def final(folder):
    """Weights at the end of a training."""
    return read_pickle(folder / "final_state.pdparams")


def is_equal(state, other):
    """Whether two states are the same, bit for bit."""
    return state.keys() == other.keys() and all(np.array_equal(state[key], other[key]) for key in state)


def difference(state, other):
    """The largest difference of two states."""
    assert state.keys() == other.keys()
    return max(np.abs(state[key] - other[key]).max() for key in state)


def epoch_lines(messages):
    """Lines of training steps."""
    return [line for line in messages if line.startswith("Epoch: ")]


def losses(line):
    """The three losses of a training step's line: labels', teacher's and theirs together."""
    return [float(re.search(rf"\t{name} ([\d.]+) \(", line)[1]) for name in ("POSE_Loss", "KD_POSE_Loss", "Loss")]


def test_a_checkpoint_is_where_training_starts(student):
    """At next to no learning rate it ends there, too; another start ends elsewhere."""
    first = student("first")
    still = ["TRAIN.LR", "1e-12", "TRAIN.OPTIMIZER", "sgd", "SEED", "5"]
    second = final(student("second", "TRAIN.CHECKPOINT", first / "final_state.pdparams", *still))
    other = final(student("third", *still))
    learnt = [key for key in second if key.endswith(("weight", "bias"))]
    assert all(np.allclose(second[key], final(first)[key], atol=1e-7) for key in learnt)
    assert not np.allclose(other["conv1.weight"], second["conv1.weight"], atol=1e-2)


# Stages

STAGES = {"STAGES": 2}


@pytest.fixture
def judged(monkeypatch):
    """Headlines that the weights decide, as figures of tiny networks are 0; `judged("stage1")` has that stage win."""
    measure = Job.measure

    def judge(best):
        def judged_measure(job, *arguments, **options):
            result = measure(job, *arguments, **options)
            return replace(result, headline=10 * job.name.endswith(best) - result.loss)

        monkeypatch.setattr(Job, "measure", judged_measure)

    return judge


def test_a_stage_is_a_training_from_the_best_weights_before(student, judged, caplog):
    """The second is bit for bit what a run by hand is that starts there: a new optimiser at the full learning rate."""
    judged("stage1")
    caplog.set_level("INFO")
    folder = student("stages", TRAIN=STAGES)
    rates = [re.search(r"Lr ([\d.]+)", line)[1] for line in epoch_lines(caplog.messages)]
    assert rates == ["0.00100", "0.00100", "0.00010", "0.00010"] * 2
    best = folder / "stage0" / "model_best.pdparams"
    assert not is_equal(read_pickle(best), final(folder / "stage0"))
    by_hand = student("hand", "TRAIN.CHECKPOINT", best, "SEED", "1")
    for name in ("checkpoint", "final_state", "model_best"):
        wanted, found = (read_pickle(path / f"{name}.pdparams") for path in (by_hand, folder / "stage1"))
        assert is_equal(wanted.pop("optimizer", {}), found.pop("optimizer", {}))
        assert is_equal(wanted.get("state_dict", wanted), found.get("state_dict", found))
    assert not is_equal(final(folder / "stage0"), final(folder / "stage1"))


@pytest.mark.parametrize("best", ["stage0", "stage1"])
def test_the_best_stages_weights_are_the_jobs(student, judged, best):
    judged(best)
    folder = student("stages", TRAIN=STAGES)
    wanted = read_pickle(folder / best / "model_best.pdparams")
    assert is_equal(wanted, final(folder)) and is_equal(wanted, read_pickle(folder / "model_best.pdparams"))


def test_processes_wait_at_a_place_once(student, monkeypatch):
    """Each place where others wait for the first process has a name of its own, else they would not wait there."""
    places = []
    monkeypatch.setattr(distributed, "wait_for_first", places.append)
    student("stages", TRAIN=STAGES)
    assert len(places) == 2 * (1 + 2) and len(set(places)) == len(places)


@pytest.mark.parametrize("step", [1, 2, 4, 6], ids=["at first", "in stage 0", "between the stages", "in stage 1"])
def test_stages_that_are_stopped_go_on(student, judged, monkeypatch, step):
    """Stopped at one of the eight steps, then resumed."""
    judged("stage1")
    whole = student("whole", TRAIN=STAGES)
    stepped, steps = TrainWatch.stepped, []

    def stop(watch, *arguments):
        steps.append(arguments)
        if len(steps) == step + 1:
            raise KeyboardInterrupt
        stepped(watch, *arguments)

    monkeypatch.setattr(TrainWatch, "stepped", stop)
    with pytest.raises(AssertionError):
        student("parts", TRAIN=STAGES)
    parts = student("parts", "--resume", TRAIN=STAGES)
    for name in ("final_state.pdparams", "model_best.pdparams"):
        for place in ("", "stage0", "stage1"):
            assert is_equal(read_pickle(whole / place / name), read_pickle(parts / place / name))


def test_a_run_goes_on_in_another_folder(student, judged, caplog):
    """`--resume_model` names the folder of a job, in which the stages' are; its best weights come along."""
    judged("stage0")
    caplog.set_level("INFO")
    for name, stages, steps in (("once", {}, 4), ("stages", STAGES, 8)):
        caplog.clear()
        folder = student(name, TRAIN=stages)
        more = student(f"{name}_more", "--resume_model", folder, TRAIN=stages)
        assert len(epoch_lines(caplog.messages)) == steps
        for file in ("final_state.pdparams", "model_best.pdparams"):
            assert is_equal(read_pickle(folder / file), read_pickle(more / file))


# Measuring


@pytest.mark.parametrize("count", [1, 2], ids=["after the first epoch", "after the last"])
def test_a_measurement_that_fails_loses_no_epoch(student, judged, monkeypatch, capsys, count):
    """The checkpoint is there before, and going on measures what was not measured."""
    judged("tiny")
    whole = student("whole")
    measure, calls = Job.measure, []

    def fail(job, *arguments, **options):
        calls.append(job)
        if len(calls) == count:
            raise ValueError("no figure")
        return measure(job, *arguments, **options)

    monkeypatch.setattr(Job, "measure", fail)
    with pytest.raises(AssertionError):
        student("parts")
    assert capsys.readouterr().err == "error: no figure\n"
    parts = student("parts", "--resume")
    assert len(calls) == 2 + 1
    for name in ("final_state", "model_best"):
        assert is_equal(*(read_pickle(folder / f"{name}.pdparams") for folder in (whole, parts)))


def test_weights_that_nobody_can_judge_are_the_latest(student, shared, caplog):
    """Of a test split without labels, and of people of whom no joint is labelled; the log says why."""
    caplog.set_level("INFO")
    path = shared.data / "annotations" / "person_keypoints_tiny.json"
    labels = json.loads(path.read_text())
    del labels["annotations"]
    (path.parent / "unlabelled.json").write_text(json.dumps(labels))
    boxes = ["TEST.USE_GT_BBOX", "false", "TEST.COCO_BBOX_FILE", shared.data / "detections.json"]
    folder = student("coco", "DATASET.TEST_SET", "unlabelled", *boxes)
    assert "DATASET.TEST_SET unlabelled cannot be measured: it has no labels; model_best" in caplog.text
    assert is_equal(final(folder), read_pickle(folder / "model_best.pdparams"))


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"jnt_missing": np.ones((16, 8))}, 0, "cannot be measured: nobody in its labels has an area and a labelled"),
        ({"jnt_missing": np.ones((16, 7)), "pos_gt_src": np.ones((16, 2, 7))}, 1, "the .mat file are not of one set"),
    ],
    ids=["nobody", "another set"],
)
def test_labels_are_tried_before_training(tmp_path, caplog, capsys, change, status, message):
    caplog.set_level("INFO")
    data = tiny_data.write_mpii(tmp_path / "data")
    truth = data / "annot" / "gt_valid.mat"
    scipy.io.savemat(truth, {key: value for key, value in scipy.io.loadmat(truth).items() if key[0] != "_"} | change)
    dataset = {"DATASET": "mpii", "TRAIN_SET": "train", "TEST_SET": "valid"}
    cfg = experiment(tmp_path / "tiny.yaml", data, STUDENT, DATASET=dataset)
    assert main(["train", "--cfg", str(cfg)]) == status
    assert message in caplog.text + capsys.readouterr().err
    assert bool(epoch_lines(caplog.messages)) is (status == 0)
    if status == 0:
        folder = tmp_path / "output" / "mpii" / "hourglass" / "tiny"
        assert is_equal(final(folder), read_pickle(folder / "model_best.pdparams"))


@pytest.mark.parametrize("end", [2, 1])
def test_a_finished_run_says_so(student, caplog, end):
    before = student("once")
    weights_before = {path.name: path.read_bytes() for path in before.glob("*.pdparams")}
    caplog.set_level("INFO")
    caplog.clear()
    student("once", "--resume", "TRAIN.END_EPOCH", end)
    assert f"=> 2 of TRAIN.END_EPOCH {end} epochs are done: nothing to train; raise it" in caplog.text
    assert not epoch_lines(caplog.messages)
    assert {path.name: path.read_bytes() for path in before.glob("*.pdparams")} == weights_before


# Teachers

KINDS = {
    "labelled": ([], 8),
    "without labels": (["KD.LABELLED", "false"], 8),
    "labelled and new pictures": (["DATASET.UNLABELLED_ROOT", "{new}"], 11),
    "labelled and new people": (["DATASET.UNLABELLED_ROOT", "{new}", "DATASET.UNLABELLED_BOX_FILE", "{boxes}"], 10),
    "new pictures only": (["DATASET.UNLABELLED_ROOT", "{new}", "KD.LABELLED", "false"], 3),
}


@pytest.mark.parametrize("teacher", ["same", "larger", "onnx"])
@pytest.mark.parametrize(("settings", "samples"), KINDS.values(), ids=KINDS)
def test_a_taught_training(student, shared, caplog, settings, samples, teacher):
    """Both are measured before the first step; each step tells both losses, whose shares follow from the labels."""
    caplog.set_level("INFO")
    known = ["KD.TEACHER_FILE", shared.onnx] if teacher == "onnx" else taught_by(shared, teacher)
    places = {"new": shared.folder / "new", "boxes": shared.folder / "boxes.json"}
    student("taught", *known, *(word.format(**places) for word in settings), "TRAIN.END_EPOCH", "1")
    lines = caplog.messages
    tables = [n for n, line in enumerate(lines) if "| teacher hourglass |" in line or "| student hourglass |" in line]
    steps = epoch_lines(lines)
    assert len(tables) == 2 and tables[1] < lines.index(steps[0]) and "teacher" in lines[tables[0]]
    assert len(steps) == -(-samples // 4)
    for line in steps:
        pose, taught, both = losses(line)
        if "KD.LABELLED" in settings:
            assert pose == 0 and both == taught > 0
        elif settings:
            assert pose / 2 + taught / 2 <= both + 1e-5 and taught > 0
        else:
            assert both == pytest.approx(pose / 2 + taught / 2, abs=1e-5) and pose > 0 < taught


def test_labels_change_nothing_without_labels(student, shared, tmp_path):
    """Of the labels' file only the boxes are taken."""
    data = shutil.copytree(shared.data, tmp_path / "data")
    path = data / "annotations" / "person_keypoints_tiny.json"
    labels = json.loads(path.read_text())
    for row in labels["annotations"]:
        row["keypoints"] = [1, 1, 2, *[0] * 48]
    path.write_text(json.dumps(labels))
    for labelled in ("false", "true"):
        taught = [*taught_by(shared), "KD.LABELLED", labelled, "DATASET.ROOT"]
        found = [final(student(f"{root.parent.name}_{labelled}", *taught, root)) for root in (shared.data, data)]
        assert is_equal(*found) is (labelled == "false")


def test_a_teacher_in_any_form(student, shared):
    """An ONNX file teaches what the YAML file and the weights do; `--tcfg` is KD.TEACHER_CFG."""
    plain = ["TRAIN.OPTIMIZER", "sgd", "TRAIN.LR", "0.01"]
    paddle = final(student("paddle", *taught_by(shared, "larger"), *plain))
    onnx = final(student("onnx", "KD.TEACHER_FILE", shared.onnx, *plain))
    cfg = shared.folder / "larger.yaml"
    flag = final(student("flag", "--tcfg", cfg, "KD.TEACHER_FILE", shared.teacher, *plain))
    alone = final(student("alone", *plain))
    assert is_equal(paddle, flag)
    assert difference(paddle, onnx) < 1e-4 < 1e-3 < difference(paddle, alone)


@pytest.mark.parametrize("name", ["same", "rgb"])
def test_a_teacher_is_measured_as_by_itself(student, shared, caplog, name):
    """A student of BGR shows a teacher of RGB what `valid` shows it."""
    caplog.set_level("INFO")
    valid = ["valid", "--cfg", shared.folder / f"{name}.yaml", "--model-file", shared.teacher]
    found = []
    for arguments in (valid, [*valid, "DATASET.COLOR_RGB", str(name == "same")]):
        assert main([str(word) for word in arguments]) == 0
        found.append([re.search(r"Loss.*", line)[0] for line in caplog.messages if line.startswith("Test: ")])
        caplog.clear()
    student("taught", *taught_by(shared, name), "TRAIN.END_EPOCH", "1")
    of_teacher = [re.search(r"Loss.*", line)[0] for line in caplog.messages if line.startswith("Test: ")][:2]
    assert of_teacher == found[0] != found[1]


def test_the_teacher_does_not_change(student, shared, tmp_path):
    """Neither its weights nor its statistics, while the student's do."""
    cfg = experiment(tmp_path / "tiny.yaml", shared.data, STUDENT)
    job = Job(load_config(cfg, [str(word) for word in taught_by(shared, "larger")]), "tiny")
    command.train(job, None)
    before = read_pickle(shared.teacher)
    assert is_equal(before, {key: value.numpy() for key, value in job.teacher.network.state_dict().items()})
    assert not job.teacher.network.training
    assert not is_equal(job.network().state_dict(), final(job.folder))


def test_kept_maps_teach_the_same(student, shared, monkeypatch):
    """What is kept has 16 bits; of maps that have no more, the weights are equal bit for bit."""
    maps, shown = Teacher.maps, []

    def rounded(teacher, image):
        shown.append(len(image))
        return maps(teacher, image).astype("float16").astype("float32")

    monkeypatch.setattr(Teacher, "maps", rounded)
    whole = final(student("whole", *taught_by(shared), DATASET=STILL))
    assert sum(shown) == 8 + 2 * 8  # measured, and two epochs
    shown.clear()
    folder = student("kept", *taught_by(shared), "KD.KEEP_MAPS", "true", DATASET=STILL)
    assert sum(shown) == 8 + 8
    assert is_equal(whole, final(folder))
    assert len(list((folder / "teacher").iterdir())) == 2


# Mistakes

YAML_AND_WEIGHTS = "KD.TEACHER_CFG same.yaml KD.TEACHER_FILE"
ONNX = "KD.TEACHER_FILE teacher.onnx"
NEW = f"{ONNX} DATASET.UNLABELLED_ROOT"
OTHER = "these are not the weights of this network: .*"
MISTAKES = [
    (f"{YAML_AND_WEIGHTS} none.pdparams", "KD.TEACHER_FILE none.pdparams: no such file"),
    ("KD.TEACHER_FILE none.onnx", "KD.TEACHER_FILE none.onnx: no such file"),
    ("KD.TEACHER_CFG none.yaml KD.TEACHER_FILE teacher.pdparams", "none.yaml: no such configuration"),
    ("KD.TEACHER_FILE teacher.pdparams", "teacher.pdparams: give the YAML of its network as KD.TEACHER_CFG"),
    ("KD.TEACHER_CFG same.yaml", "KD.TEACHER_CFG needs a teacher: give its weights or .onnx file as KD.TEACHER_FILE"),
    ("--tcfg same.yaml", "KD.TEACHER_CFG needs a teacher"),
    ("KD.LABELLED false", "KD.LABELLED: false needs a teacher"),
    ("KD.KEEP_MAPS true", "KD.KEEP_MAPS needs a teacher"),
    ("DATASET.UNLABELLED_ROOT new", "DATASET.UNLABELLED_ROOT needs a teacher"),
    (f"{ONNX} KD.KEEP_MAPS true", "KD.KEEP_MAPS: only for data that are not augmented: set DATASET.FLIP false"),
    (f"{ONNX} KD.ALPHA 1.5", "KD.ALPHA: Input should be less than or equal to 1"),
    (
        "KD.TEACHER_FILE whole.onnx",
        "KD.TEACHER_FILE: squares takes whole pictures; the student's crops need a top-down",
    ),
    ("KD.TEACHER_FILE colours.onnx", "the teacher's joints are blue, green, red; the student's are nose, left_eye, "),
    (
        "KD.TEACHER_CFG mpii.yaml KD.TEACHER_FILE 16.pdparams",
        rf"16.pdparams: {OTHER} mismatched: .* \(16,",
    ),
    (
        f"{ONNX} MODEL.IMAGE_SIZE [64,128] MODEL.HEATMAP_SIZE [16,32]",
        r"the teacher's MODEL.IMAGE_SIZE is \(128, 128\), another aspect ratio than the student's \(64, 128\)",
    ),
    ("KD.TEACHER_FILE no_card.onnx", "no_card.onnx: the file has no card that says how to use it"),
    (f"{YAML_AND_WEIGHTS} text.pdparams", "text.pdparams: not a file of weights"),
    ("KD.TEACHER_FILE text.onnx", "text.onnx: not an ONNX file"),
    ("KD.TEACHER_CFG bad.yaml KD.TEACHER_FILE teacher.pdparams", "bad.yaml: MODEL.NUM_STACK: no such setting, did you"),
    (f"{NEW} empty", "empty: no picture or video found"),
    (f"{NEW} new DATASET.UNLABELLED_BOX_FILE nobody.json", "new: 3 pictures, and no box of a person in them"),
    ("DATASET.TRAIN_SET beside DATASET.SELECT_DATA true", "DATASET.SELECT_DATA: of the people to train on, none has"),
    ("TRAIN.CHECKPOINT teacher.pdparams", f"teacher.pdparams: {OTHER} unexpected: "),
    ("TRAIN.CHECKPOINT part.pdparams", f"part.pdparams: {OTHER} 1 missing: score.0.bias"),
    ("TRAIN.CHECKPOINT none.pdparams", "none.pdparams: no such file of weights"),
    ("--resume_model new TRAIN.STAGES 2", "--resume_model new: expected a folder that has stage0/checkpoint.pdparams"),
]


@pytest.fixture(scope="module")
def mistaken(shared, tmp_path_factory):
    """A folder of a student's YAML file, and of files with which something is wrong beside good ones."""
    folder = tmp_path_factory.mktemp("mistaken")
    for path in shared.folder.iterdir():
        (folder / path.name).symlink_to(path)
    cfg = experiment(folder / "tiny.yaml", shared.data, STUDENT)
    state = Job(load_config(cfg), "tiny").network().state_dict()
    weights.save({key: value for key, value in state.items() if key != "score.0.bias"}, folder / "part.pdparams")
    experiment(folder / "mpii.yaml", shared.data, TEACHER, DATASET={"DATASET": "mpii"})
    state = read_pickle(shared.teacher)
    for key in ("score.0.weight", "score.0.bias", "score.1.weight", "score.1.bias"):
        state[key] = state[key][:16]
    state["score_.0.weight"] = state["score_.0.weight"][:, :16]
    weights.save(state, folder / "16.pdparams")
    experiment(folder / "bad.yaml", shared.data, {**TEACHER, "NUM_STACK": 3})
    tiny_onnx.write_model(folder / "colours.onnx")
    codec = {"name": "regression", "input_size": (64, 64), "heatmap_size": (16, 16)}
    tiny_onnx.write_model(folder / "whole.onnx", replace(tiny_onnx.CARD, kind="bottom_up", codec=codec).to_json())
    tiny_onnx.write_model(folder / "no_card.onnx", card=None)
    labels = json.loads((shared.data / "annotations" / "person_keypoints_tiny.json").read_text())
    for row in labels["annotations"]:
        row["keypoints"] = [0, 0, 2] * 17
    (shared.data / "annotations" / "beside.json").write_text(json.dumps(labels))
    (folder / "empty").mkdir()
    for name, content in (("text.pdparams", "words"), ("text.onnx", "words"), ("nobody.json", "[]")):
        (folder / name).write_text(content)
    return folder


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake(mistaken, monkeypatch, capsys, arguments, message):
    """One line that says what to do, and no weights are written."""
    monkeypatch.chdir(mistaken)
    assert main(["train", "--cfg", "tiny.yaml", *arguments.split()]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert re.search(message, line), line
    assert not list((mistaken / "output").rglob("*.pdparams"))


# Runs


def test_a_second_run_leaves_the_first_as_it_is(student, caplog):
    first = student("a")
    before = {path.name: path.read_bytes() for path in first.glob("*.pdparams")}
    student("a", "SEED", "5")
    second = first.with_name("tiny-2")
    assert {path.name: path.read_bytes() for path in first.glob("*.pdparams")} == before
    assert not is_equal(final(first), final(second))
    student("a", "--resume", "TRAIN.END_EPOCH", "3", "SEED", "5")  # the newest
    assert not first.with_name("tiny-3").exists()
    assert read_pickle(second / "checkpoint.pdparams")["epoch"] == 3


def test_a_run_has_the_name_that_is_asked_for(student, capsys):
    first = student("a", "--name", "mine")
    assert (first.with_name("mine") / "final_state.pdparams").is_file() and not first.exists()
    with pytest.raises(AssertionError):
        student("a", "--name", "mine")
    assert "--name mine: " in (error := capsys.readouterr().err) and "is a run already" in error
    student("a", "--name", "mine", "--resume", "TRAIN.END_EPOCH", "3")
    with pytest.raises(AssertionError):
        student("a", "--name", "../mine")
    assert capsys.readouterr().err == "error: --name ../mine: expected the name of a folder, without its place\n"


def test_the_newest_runs_best_weights_are_measured(student, tmp_path, caplog):
    caplog.set_level("INFO")
    first = student("a")
    student("a")
    assert main(["valid", "--cfg", str(tmp_path / "a" / "tiny.yaml")]) == 0
    assert f"=> loading model from {first.with_name('tiny-2')}/model_best.pdparams" in caplog.text
    (first.with_name("tiny-2") / "model_best.pdparams").unlink()
    assert main(["valid", "--cfg", str(tmp_path / "a" / "tiny.yaml")]) == 0
    assert f"=> loading model from {first.with_name('tiny-2')}/final_state.pdparams" in caplog.text
    assert main(["valid", "--cfg", str(tmp_path / "a" / "tiny.yaml"), "--name", "tiny"]) == 0
    assert f"=> loading model from {first}/model_best.pdparams" in caplog.text


def test_training_ends_when_nothing_gets_better(student, caplog):
    caplog.set_level("INFO")
    folder = student("a", "TRAIN.PATIENCE", "1", "TRAIN.END_EPOCH", "9", "TRAIN.LR", "1e-12")
    assert "=> no better figure in 1 epochs, TRAIN.PATIENCE: training ends here" in caplog.text
    assert len((folder / "metrics.csv").read_text().splitlines()) == 1 + 2
    assert (folder / "final_state.pdparams").is_file()


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_weights_that_were_there_are_frozen_and_new_ones_have_their_own_rate(student, tmp_path, optimizer):
    """Of the weights of another number of joints, all but the last layer's fit."""
    first = student("a")
    state = final(first)
    last = {key for key in state if key.startswith("score.0") or "final" in key}
    last = last or {key for key in state if key.startswith("score")}
    assert last
    weights.save({key: value for key, value in state.items() if key not in last}, tmp_path / "trunk.pdparams")
    settings = ["MODEL.PRETRAINED", tmp_path / "trunk.pdparams", "TRAIN.OPTIMIZER", optimizer, "TRAIN.WD", "0"]
    frozen = final(student("b", *settings, "TRAIN.FREEZE", "2", "TRAIN.LR_HEAD", "0.01"))
    trained = {key for key in state if not key.endswith(("_mean", "_variance"))}
    assert all(np.array_equal(frozen[key], state[key]) for key in trained - last)
    free = final(student("c", *settings, "TRAIN.FREEZE", "1"))
    assert not any(np.array_equal(free[key], state[key]) for key in trained - last if key.endswith("weight"))
