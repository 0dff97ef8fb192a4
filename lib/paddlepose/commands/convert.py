"""Weights of other repositories to Paddle or ONNX, and back: `paddlepose convert FILE [--cfg YAML] [--out FILE]`."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from paddlepose import config, zoo
from paddlepose.commands import _options
from paddlepose.commands._parser import Parser
from paddlepose.core import rescore
from paddlepose.core.files import remove_leftovers_of
from paddlepose.core.rescore import Rescorer
from paddlepose.engine import weights
from paddlepose.engine.job import Job
from paddlepose.engine.torch_file import write_torch
from paddlepose.engine.weights import State
from paddlepose.experiment import Config
from paddlepose.export import export
from paddlepose.models import build_network, recognised

_HOME = Path(__file__).parents[3] / "experiments"  # where the package is used as it was cloned
_KINDS = (".pdparams", ".onnx", ".pth")

# Data set and height x width of a network that no experiment describes, by its number of joints.
_USUAL = {17: ("coco", (256, 192)), 16: ("mpii", (256, 256)), 14: ("crowdpose", (256, 192))}


def main(argv: Sequence[str]) -> int:
    """Run the command; its exit status."""
    parser = Parser("convert", "Weights of PyTorch or Paddle as .pdparams, .onnx or .pth.")
    parser.add_argument("file", type=Path, help="weights or a checkpoint, .pth, .pth.tar, .pdparams, or a model's name")
    parser.add_argument("--cfg", type=Path, help="the experiment's YAML file; else the network is known by its weights")
    parser.add_argument("--out", type=Path, help=f"file to write, one of {', '.join(_KINDS)}; else FILE.pdparams")
    arguments = parser.parse_args(argv)
    out = arguments.out or arguments.file.with_name(f"{arguments.file.name.split('.pth')[0]}.pdparams")
    if out.suffix not in _KINDS:
        raise ValueError(f"--out {out}: expected one of {', '.join(_KINDS)}")
    _options.check_out(out, arguments.file, arguments.cfg)
    remove_leftovers_of(out)
    file, cfg = zoo.find(arguments.file), arguments.cfg
    state, _, rgb = weights.read(file)
    job = Job(config.load_config(cfg), cfg.stem) if cfg else _recognised(state, file, rgb)
    if job is None:
        _write_trunk(state, file, out)
    else:
        _write(_coloured(job, rgb), state, file, out)
    print(f"=> Saved as: {out}")
    return 0


def _write(job: Job, state: State, path: Path, out: Path) -> None:
    """Write the weights of a job's network, after they have gone through the network itself."""
    card = job.config.card(job.skeleton, {"experiment": job.name, "weights": path.name})
    model = build_network(job.config, len(card.skeleton.joints))
    print(f"=> {job.title}, {len(card.skeleton.joints)} joints, {'RGB' if card.rgb else 'BGR'}, {card.codec['name']}")
    print(f"=> {weights.put(model, state, path)}")
    if out.suffix == ".onnx":
        rescorer = _rescorer(job)
        difference = export(model, card, out, rescorer=rescorer)
        print(f"=> Checked in onnxruntime: largest difference {difference:.1e} of the output's scale")
    elif out.suffix == ".pth":
        write_torch(weights.paddle_to_torch(weights.to_arrays(model.state_dict())), out)
    else:
        weights.save({"card": card.to_json(), "state_dict": model.state_dict()}, out)


def _coloured(job: Job, rgb: bool | None) -> Job:
    """The job with the colours that its weights were trained on, where the file says them."""
    if rgb in (None, job.config.dataset.color_rgb):
        return job
    print(f"=> The weights were trained on {'RGB' if rgb else 'BGR'}, unlike the experiment: DATASET.COLOR_RGB {rgb}")
    data = job.config.dataset.model_copy(update={"color_rgb": rgb})
    return Job(job.config.model_copy(update={"dataset": data}), job.name)


def _rescorer(job: Job) -> Rescorer | None:
    """The rescoring network of a job, if its file is there; a line says which, or that there is none."""
    path = job.config.rescore.model_file
    if job.config.kind == "top_down" or path is None:
        return None
    found = job.rescorer if path.is_file() else None
    print(f"=> Scores by {path}" if found else f"=> Scores are not learned ones: there is no file {path}")
    return found


def _write_trunk(state: State, path: Path, out: Path) -> None:
    """Write weights that are no pose network's, such as an ImageNet trunk's or a rescoring network's."""
    use = "a trunk for MODEL.PRETRAINED"
    if state.keys() >= set(rescore.NAMES):
        use = "a rescoring network for RESCORE.MODEL_FILE"
    elif not any(value.ndim == 4 for value in state.values()):
        raise ValueError(f"{path}: no network's weights: none of its {len(state)} arrays is a convolution's")
    if out.suffix == ".onnx":
        raise ValueError(f"{path}: no network here has these weights, and they alone cannot be an .onnx file")
    print(f"=> {len(state)} weights of no pose network: {use}, written as it is, without a card")
    if out.suffix == ".pth":
        write_torch(weights.paddle_to_torch(state), out)
    else:
        weights.save(state, out)


def _recognised(state: State, path: Path, rgb: bool | None) -> Job | None:
    """The experiment whose network has these weights, or its settings alone where there is no such experiment."""
    name, arguments = recognised({key: value.shape for key, value in state.items()})
    if name is None:
        return None
    joints = arguments.pop("num_joints")
    named = re.search(r"(\d{2,4})x(\d{2,4})", path.name)
    size = (int(named[1]), int(named[2])) if named else _USUAL.get(joints, (None, None))[1]
    family = [(experiment, job) for experiment, job in _experiments() if job.config.model.name == name]
    fits = [_fit(job, joints, size, arguments) for _, job in family]
    best = max(fits, default=(False,))
    is_known = family[0][1].config.kind == "top_down" if family else rgb is not None  # the package may lie here alone
    if not all(best) and (joints not in _USUAL or not is_known):
        raise ValueError(f"{path}: weights of {name} for {joints} joints: name their experiment by --cfg")
    alike = [found for found, fit in zip(family, fits, strict=True) if fit == best]
    colours = {job.config.dataset.color_rgb: experiment for experiment, job in alike}
    if len(colours) > 1 and rgb is None:
        names = " or ".join(str(experiment) for experiment in colours.values())
        raise ValueError(f"{path}: may be of {names}, of other colours: name its experiment by --cfg")
    if all(best):
        print(f"=> The network is that of {alike[0][0]}; if this is not its experiment, name it by --cfg")
        return alike[0][1]
    print(f"=> In no experiment: {name} {arguments} for {size[0]}x{size[1]}; else write one and name it by --cfg")
    return _usual({"NAME": name, **arguments}, alike[0][1].config if alike else Config(), _USUAL[joints][0], size)


def _experiments() -> Iterator[tuple[Path, Job]]:
    """The published experiments, by the YAML file."""
    for experiment in sorted(
        path for kind in ("coco", "crowdpose", "mpii") for path in (_HOME / kind).glob("*/*.yaml")
    ):
        yield experiment, Job(config.load_config(experiment), experiment.stem)


def _fit(job: Job, joints: int, size: tuple[int, int], arguments: dict[str, Any]) -> tuple[bool, bool, bool]:
    """Whether a job has so many joints, a size (height, width) and a network's arguments, from the weightiest on."""
    own = job.config.arguments("model")
    return (
        len(job.skeleton.joints) == joints,
        job.config.kind == "bottom_up" or job.config.model.image_size[::-1] == size,  # whole pictures are of any size
        all(own[key] == value for key, value in arguments.items()),
    )


def _usual(arguments: dict[str, Any], like: Config, dataset: str, size: tuple[int, int]) -> Job:
    """A recognised network with the colours and the decoder of an experiment with one of its kind."""
    height, width = size
    model = {"IMAGE_SIZE": [width, height], "HEATMAP_SIZE": [width // 4, height // 4]}
    raw = {
        "DATASET": {"DATASET": dataset, "COLOR_RGB": like.dataset.color_rgb},
        "MODEL": model | {key.upper(): value for key, value in arguments.items()},
        "CODEC": like.codec.model_dump(by_alias=True),
        "TEST": {"USE_GT_BBOX": True},
    }
    return Job(config.parse(raw), arguments["NAME"])
