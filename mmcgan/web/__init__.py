"""python -m mmcgan.web: drop photos into a browser and see how the model tags them."""
