"""Distillation: the criterion against the published one, teachers of all kinds, and data without labels."""

import numpy as np
import paddle
import pytest
from published import gradient_norms

from paddlepose.losses import Distill, Heatmap
from paddlepose.models import network_class

CASES = [
    *("equal_stacks", "teacher_more_stacks", "teacher_fewer_stacks", "single_outputs", "list_student_single_teacher"),
    *("single_student_list_teacher", "joint_weights", "weights_student_only", "weights_teacher_only", "batch_one"),
    *("no_ground_truth", "ground_truth_only"),
]


def test_all_cases_are_named(golden):
    found = {key.split("/")[0] for key in golden("fpd/fpd_losses.npz")}
    assert {case for case in found if not case.startswith("derived_")} == set(CASES)


def distilled(data, case):
    """Losses and gradients of a golden case."""
    arrays = {key.split("/")[1]: value for key, value in data.items() if key.startswith(f"{case}/")}
    students = [paddle.to_tensor(maps, stop_gradient=False) for maps in arrays["in__student"]]
    batch = {"target": paddle.to_tensor(arrays["in__target"]), "weight": paddle.to_tensor(arrays["in__target_weight"])}
    if "in__labelled" in arrays:
        batch["labelled"] = paddle.to_tensor(arrays["in__labelled"].astype(np.float32))
    criterion = Distill(
        Heatmap(use_weight=bool(arrays.get("in__student_use_target_weight", True))),
        lambda batch: paddle.to_tensor(arrays["in__teacher"][-1]),
        float(arrays["in__alpha"]),
        use_weight=bool(arrays.get("in__teacher_use_target_weight", True)),
    )
    losses = criterion(students, batch)
    losses["loss"].backward()
    return arrays, losses, np.stack([maps.grad.numpy() for maps in students])


def check(arrays, losses, gradients):
    for ours, theirs in (("pose", "pose_loss"), ("kd_pose", "kd_pose_loss"), ("loss", "loss")):
        np.testing.assert_allclose(losses[ours].item(), arrays[f"out__{theirs}"], rtol=1e-6, atol=1e-12)
    wanted = arrays["out__grad_student"]
    assert np.abs(gradients - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("case", CASES)
def test_losses_golden(golden, case):
    """goldens/fpd/fpd_losses.npz: numbers of outputs, weights, shares of the teacher."""
    check(*distilled(golden("fpd/fpd_losses.npz"), case))


def test_unlabelled_golden(golden):
    """goldens/fpd/fpd_losses.npz, `derived_*`: labelled and unlabelled samples in one batch."""
    data = golden("fpd/fpd_losses.npz")
    cases = sorted({key.split("/")[0] for key in data if key.startswith("derived_")})
    assert len(cases) >= 2
    for case in cases:
        check(*distilled(data, case))


STEPS = ["hg8_256_alpha0.5", "hg8_256_alpha1.0", "hg8_256_alpha0.0", "hg2_128_alpha0.3"]


@pytest.mark.parametrize("name", STEPS)
def test_step_golden(golden, golden_weights, name):
    """goldens/fpd/train_step_*: real networks in float64; losses, gradients, and three Adam steps of the first."""
    from paddlepose.engine.weights import torch_to_paddle

    description = golden(f"fpd/train_step_hg4_128_teacher_{name}.json")
    data = golden(f"fpd/{description['batch_file']}")
    networks = {}
    for role in ("student", "teacher"):
        size = {key: description[role][key] for key in ("num_stacks", "num_features", "num_blocks")}
        model = network_class("hourglass")(16, **size)
        state = model.state_dict()
        entries = [(key, value.shape) for key, value in state.items()]
        torch_names = [
            (k.replace("._mean", ".running_mean").replace("._variance", ".running_var"), s) for k, s in entries
        ]
        weights = torch_to_paddle(golden_weights.state_dict(torch_names))
        if role == "teacher":
            last = f"score.{size['num_stacks'] - 1}"
            for key in (f"{last}.weight", f"{last}.bias"):
                weights[key] = weights[key] * np.float32(description["teacher"]["last_score_scale"])
        model.set_state_dict(weights)
        networks[role] = model.to(dtype="float64")
    student, teacher = networks["student"], networks["teacher"]
    teacher.eval()
    student.train()
    image = paddle.to_tensor(golden_weights.image((2, 3, 256, 256), description["input_seed"]).astype(np.float64))
    batch = {
        "target": paddle.to_tensor(data["in__target"].astype(np.float64)),
        "weight": paddle.to_tensor(data["in__target_weight"].astype(np.float64)),
    }
    with paddle.no_grad():
        maps = teacher(image)[-1]
    criterion = Distill(Heatmap(), lambda batch: maps, description["alpha"])
    trajectory = description["adam_trajectory"]
    steps = trajectory["steps"] if trajectory else [description["first_step"]]
    optimizer = paddle.optimizer.Adam(2.5e-4, parameters=[p for p in student.parameters() if not p.stop_gradient])
    for number, wanted in enumerate(steps):
        losses = criterion(student(image), batch)
        rtol = 1e-4 if number == 2 else 1e-6
        for ours, theirs in (("pose", "pose_loss"), ("kd_pose", "kd_pose_loss"), ("loss", "loss")):
            np.testing.assert_allclose(losses[ours].item(), wanted[theirs], rtol=rtol)
        losses["loss"].backward()
        if number == 0:
            norms = gradient_norms(student, description["grad_norms"])
            np.testing.assert_allclose(list(norms.values()), list(description["grad_norms"].values()), rtol=1e-6)
        optimizer.step()
        optimizer.clear_grad()
