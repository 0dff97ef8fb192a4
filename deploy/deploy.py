"""The command `paddlepose deploy` under the name that its first users know."""

import sys

from paddlepose.commands import main

sys.exit(main(["deploy", *sys.argv[1:]]))
