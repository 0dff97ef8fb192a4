"""What a network's output means: each codec makes training targets of joints and reads joints from outputs."""

from collections.abc import Mapping
from typing import Any

from paddlepose import plugins


def build(settings: Mapping[str, Any]) -> Any:
    """The codec that `settings["name"]` names, with the other settings. Raises ValueError: no codec of that name."""
    fields = dict(settings)
    return plugins.find("codecs", fields.pop("name")).Codec(**fields)
