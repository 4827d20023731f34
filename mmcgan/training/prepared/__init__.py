"""The prepared file: its schema, and arrays that may be larger than memory."""
