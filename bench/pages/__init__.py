"""Time to the first picture of a scan: our viewer against online-3d-viewer, in one browser."""
