"""`paddlepose convert`, as a script."""

import sys

from paddlepose.commands import main

sys.exit(main(["convert", *sys.argv[1:]]))
