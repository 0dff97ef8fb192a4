"""Each run has a folder of its own, and what comes after a training finds the newest."""

import pytest

from paddlepose.engine import runs


def run(folder, file="checkpoint.pdparams"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).touch()


def test_the_first_run_has_the_experiments_name(tmp_path):
    assert runs.new(tmp_path / "out" / "quick") == runs.newest(tmp_path / "out" / "quick") == "quick"


@pytest.mark.parametrize("file", ["checkpoint.pdparams", "model_best.pdparams", "final_state.pdparams", "stage0"])
def test_later_ones_are_numbered(tmp_path, file):
    run(tmp_path / "quick", file)
    assert (runs.newest(tmp_path / "quick"), runs.new(tmp_path / "quick")) == ("quick", "quick-2")
    run(tmp_path / "quick-2", file)
    run(tmp_path / "quick-10", file)
    assert (runs.newest(tmp_path / "quick"), runs.new(tmp_path / "quick")) == ("quick-10", "quick-11")


def test_what_is_no_run_of_the_experiment_counts_not(tmp_path):
    for name in ("quick-1", "quick-02", "quick-x", "quick-2-3", "quicker-2"):
        run(tmp_path / name)
    (tmp_path / "quick-4").mkdir()  # failed before it had weights
    (tmp_path / "quick-4" / "config.yaml").touch()
    run(tmp_path / "quick")
    assert (runs.newest(tmp_path / "quick"), runs.new(tmp_path / "quick")) == ("quick", "quick-2")
