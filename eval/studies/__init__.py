"""Studies: questions about the method, each a command; not in the wheel."""
