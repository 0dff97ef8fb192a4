"""Everything between a picture and its poses that needs no deep-learning framework: numpy and OpenCV only."""
