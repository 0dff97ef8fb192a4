"""Poses to train a rescoring network on: `paddlepose rescore_data --cfg FILE DATASET.TEST_SET train2017`."""

from collections.abc import Sequence

from paddlepose.commands import _options
from paddlepose.core.files import remove_leftovers_of
from paddlepose.engine import distributed
from paddlepose.engine.evaluate import as_network, everybody
from paddlepose.metrics.matches import matches


def main(argv: Sequence[str]) -> int:
    """Run the command; its exit status."""
    parser = _options.parser(
        "rescore_data", "Write the poses found in the test split, and how right they are, to RESCORE.DATA_FILE."
    )
    job = _options.job(parser.parse_intermixed_args(argv))
    if job.config.kind != "bottom_up":
        raise ValueError(f"MODEL.NAME {job.config.model.name}: only poses of bottom-up networks are rescored")
    job.start("rescore_data")
    metric = job.metrics()["final"]
    if not metric.labels.annotations:
        raise ValueError(f"DATASET.TEST_SET {job.config.dataset.test_set}: has no labels; name a training split")
    records = [record for record in job.pictures() if record.people or record.ignore]
    predictor = job.predictor(as_network(job.trained_network()), rescore=False)
    for record, (_, poses) in everybody(predictor, records, job.config.test.batch_size):
        metric.add(record, poses)
    if distributed.rank() == 0:
        found = matches(metric.labels, metric.rows, metric.kind, job.skeleton.sigmas)
        remove_leftovers_of(job.config.rescore.data_file)
        found.save(job.config.rescore.data_file, job.skeleton)
        print(f"=> {len(found.oks)} poses of {len(records)} pictures in {job.config.rescore.data_file}")
    return 0
