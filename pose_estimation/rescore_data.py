"""`paddlepose rescore_data`, as a script."""

import sys

from paddlepose.commands import main

sys.exit(main(["rescore_data", *sys.argv[1:]]))
