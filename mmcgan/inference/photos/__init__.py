"""From a photo, a file by anyone, to its features."""
