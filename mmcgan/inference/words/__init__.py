"""The words: their spelling and vectors, the search among them, and their ranking by draws."""
