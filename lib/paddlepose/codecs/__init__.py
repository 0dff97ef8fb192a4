"""What a network's output means: each codec makes training targets of joints and reads joints from outputs."""

from collections.abc import Mapping
from typing import Any

from paddlepose import plugins
from paddlepose.core.fields import checked


def build(settings: Mapping[str, Any]) -> Any:
    """The codec that `settings["name"]` names, with the other settings.

    Raises ValueError: no codec of that name, or a setting is not what it takes.
    """
    given = dict(settings)
    if not isinstance(name := given.pop("name", None), str):
        raise ValueError(f"codec: expected the name of one as 'name', got {name!r}")
    codec = plugins.find("codecs", name).Codec
    return codec(**checked(codec, given, f"codec '{name}'"))
