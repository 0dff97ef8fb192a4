"""Everything between a picture and its poses that needs no deep-learning framework: numpy and OpenCV only."""

import os

from paddlepose.core.limits import MOST_PIXELS

# OpenCV reads it once, when it is first imported, and holds each image's header to it.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_PIXELS))
