"""`paddlepose rescore_train`, as a script."""

import sys

from paddlepose.commands import main

sys.exit(main(["rescore_train", *sys.argv[1:]]))
