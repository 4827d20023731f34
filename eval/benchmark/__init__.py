"""How fast it is, beside what others do and what the machine can do."""
