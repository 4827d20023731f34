"""Formats of image files: what their bytes and their names say, before any pixel is decoded."""
