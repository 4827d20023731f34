"""A photographer's photos, many at once: tagged, chosen, written and shown."""
