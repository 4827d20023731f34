"""Raw collections → the prepared file."""
