"""Reading a configuration: a YAML file and `KEY VALUE` pairs, checked at once as a whole, and frozen."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError, create_model

from paddlepose import plugins
from paddlepose.core.fields import short
from paddlepose.core.files import MistakesError, entry
from paddlepose.core.limits import MOST_NESTING, MOST_SETTINGS
from paddlepose.experiment import CODEC_SHARES, Config
from paddlepose.settings import CodecSection, ModelSection, Section


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Configuration of a YAML file, with `KEY VALUE` pairs such as `TRAIN.LR 1e-4` over it.

    Raises FileNotFoundError: no such file; ValueError: what is wrong with it, one line a mistake, each with its
    key.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such configuration; experiments/ has those of the published systems")
    try:
        raw = _section(_read_yaml(path.read_bytes()))
        return parse(_override(raw, overrides))
    except ValueError as error:
        lines = error.lines if isinstance(error, MistakesError) else [str(error)]
        raise MistakesError(f"{path}: {line}" for line in lines) from error


def parse(raw: Mapping[str, Any]) -> Config:
    """Configuration of nested keys and values. Raises ValueError: one line a mistake, each with its key."""
    raw = _in_one_place(raw)
    schema = _schema(raw)
    try:
        config = schema.model_validate(raw)
    except ValidationError as error:
        raise MistakesError(_explain(error, schema)) from None
    _check_network(config)
    return config


def _check_network(config: Config) -> None:
    """Refuse a codec of another kind, a criterion of other maps, and a size that the network cannot halve so often."""
    from paddlepose.models import network_class

    network = network_class(config.model.name)
    if (kind := getattr(network, "kind", "top_down")) != config.kind:
        raise ValueError(f"CODEC.NAME {config.codec.name}: is {config.kind}, but {config.model.name} is {kind}")
    if config.loss.name == "cross_entropy" and not getattr(network, "sums_up", False):
        raise ValueError(f"LOSS.NAME cross_entropy: maps of {config.model.name} may be negative; use mse, or pose_lite")
    step = getattr(network, "multiple", 1)
    size = config.model.image_size
    if any(side % step for side in size):
        fits = tuple(-(-side // step) * step for side in size)
        raise ValueError(f"MODEL.IMAGE_SIZE {size}: {config.model.name} takes multiples of {step}, such as {fits}")


def _read_yaml(text: str | bytes) -> Any:
    """The value that a text describes. Raises ValueError: it is not YAML; one line with the place."""
    try:
        _check_nesting(text if isinstance(text, str) else text.decode("latin-1"))
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None and _size(node, {}) > MOST_SETTINGS:
            raise ValueError(f"not a configuration: more than {MOST_SETTINGS:,} values, with those that aliases repeat")
        return None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ValueError(f"not YAML: {error.problem} at line {mark.line + 1}, column {mark.column + 1}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ValueError("not YAML: nested too deeply") from error


def _check_nesting(text: str) -> None:
    """Raises RecursionError: so many brackets are open at once that PyYAML would take seconds to say so."""
    if max(accumulate(1 if c in "[{" else -1 for c in text if c in "[{}]"), default=0) > MOST_NESTING:
        raise RecursionError


def _size(node: yaml.Node, known: dict[int, float]) -> float:
    """Values at and below a node, those of an alias as often as it is used; one that holds itself has no end."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = math.inf
        below = (part for item in node.value for part in (item if isinstance(item, tuple) else (item,)))
        known[id(node)] = 1 + sum(_size(part, known) for part in below)
    return known[id(node)]


def _section(value: Any, key: str = "") -> dict[str, Any]:
    """The keys and values of a section, none for one that is empty. Raises ValueError: it is something else."""
    if value is not None and not isinstance(value, Mapping):
        title = f"{key}: " if key else ""
        raise ValueError(f"{title}expected keys and values, such as 'MODEL: {{NAME: pose_resnet}}', not {short(value)}")
    return dict(value or {})


def _override(raw: Mapping[str, Any], pairs: Sequence[str]) -> dict[str, Any]:
    """`raw` with `A.B value` pairs put in."""
    if len(pairs) % 2:
        raise ValueError(f"'{pairs[-1]}' has no value; settings are given as KEY VALUE, such as TRAIN.LR 1e-4")
    changed = dict(raw)
    for key, text in zip(pairs[::2], pairs[1::2], strict=True):
        *parents, name = key.split(".")
        section = changed
        for parent in parents:
            section[parent] = _section(section.get(parent), parent)
            section = section[parent]
        with entry(key):
            section[name] = _read_yaml(text)
    return changed


# Where the first repositories put a setting, and the key that it has here.
_OTHER_NAMES = {"NUM_LAYERS": "DEPTH"}


def _in_one_place(raw: Mapping[str, Any]) -> dict[str, Any]:
    """`raw` with MODEL.EXTRA's settings in MODEL, and one name for each.

    Raises ValueError: a setting is given twice with different values.
    """
    model = _section(raw.get("MODEL"), "MODEL")
    if model.get("BACKBONE") == "resnet" and model.get("NAME", "pose_resnet") == "pose_resnet":
        del model["BACKBONE"]  # the seed's files name it; PoseResNet has no other
    for name, value in _section(model.pop("EXTRA", None), "MODEL.EXTRA").items():
        key = _OTHER_NAMES.get(name, name)
        if model.setdefault(key, value) != value:
            raise ValueError(f"MODEL.{key} is {model[key]}, but MODEL.EXTRA.{name} is {value}: give one")
    return {**raw, "MODEL": model}


def _schema(raw: Mapping[str, Any]) -> type[Config]:
    """The configuration's type for the network and the codec that `raw` names."""
    from paddlepose.models import network_class  # Paddle is only needed once a configuration is read

    model, codec = _section(raw.get("MODEL"), "MODEL"), _section(raw.get("CODEC"), "CODEC")
    with entry("MODEL.NAME"):
        network = network_class(str(model.get("NAME", "pose_resnet")))
    with entry("CODEC.NAME"):
        settings = plugins.find("codecs", str(codec.get("NAME", "heatmap"))).Codec
    model_section = _extended(ModelSection, network.__init__, {"self", "num_joints"})
    codec_section = _extended(CodecSection, settings.__init__, {"self", *CODEC_SHARES})
    return create_model(
        "Config", __base__=Config, model=(model_section, model_section()), codec=(codec_section, codec_section())
    )


def _extended(section: type[Section], constructor: Callable[..., None], without: set[str]) -> type[Section]:
    """`section` with a field for each argument of a constructor."""
    signature = inspect.signature(constructor, eval_str=True)
    fields = {
        name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in signature.parameters.items()
        if name not in without
    }
    return create_model(section.__name__, __base__=section, **fields)


def _explain(error: ValidationError, schema: type[Section]) -> Iterator[str]:
    """One line for each mistake that pydantic found."""
    for mistake in error.errors():
        parts = [str(part) for part in mistake["loc"]]
        key, message = ".".join(parts), mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            yield f"{key}: no such setting{plugins.nearest(parts[-1], _known(schema, parts[:-1]))}"
        elif mistake["type"] == "value_error":  # of the settings' own checks, which say what they got
            yield f"{key}: {message}" if key else message
        else:
            yield f"{key}: {message} (it is {short(mistake['input'])})"


def _known(schema: type[Section], path: Sequence[str]) -> list[str]:
    """Keys that the section at `path` has."""
    for part in path:
        schema = schema.model_fields[part.lower()].annotation
    return [name.upper() for name in schema.model_fields]
