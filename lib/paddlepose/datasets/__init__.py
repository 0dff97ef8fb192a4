"""Annotation files to image records: one file a data set, with `skeleton`, `records` and `metric`."""
