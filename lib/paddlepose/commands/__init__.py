"""The commands: one file a command, with `main(argv)`; `paddlepose NAME` and `pose_estimation/NAME.py` run it."""

import logging
import sys
import warnings
from collections.abc import Sequence

from paddlepose import plugins

_STOPPED = 130  # the shell's exit status for a program ended by Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names: its exit status.

    A mistake of the user's is one line on the error stream and status 1.
    """
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(f"usage: paddlepose COMMAND [options]\ncommands: {', '.join(plugins.names('commands'))}")
        print("paddlepose COMMAND --help lists the options of one")
        return 0
    for noise in ("No ccache found", "When training, we now always track"):  # Paddle says so at each start
        warnings.filterwarnings("ignore", message=noise)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        return plugins.find("commands", name).main(arguments)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return _STOPPED
    except (ValueError, OSError, FloatingPointError, ModuleNotFoundError) as error:
        for line in _explain(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 1


def _explain(error: Exception) -> str:
    """The message; for a file that the system refuses its name and the reason, for a package how to get it."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ModuleNotFoundError):
        return f"this command needs the package {error.name}: install paddlepose with its extra, paddlepose[train]"
    return str(error)
