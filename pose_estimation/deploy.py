"""`paddlepose deploy`, as a script."""

import sys

from paddlepose.commands import main

sys.exit(main(["deploy", *sys.argv[1:]]))
