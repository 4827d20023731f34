"""python -m mmcgan.web: drop photos into a browser and look at what the model says of them."""
