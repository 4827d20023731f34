"""The words: their spelling and vectors, the search among them, and how draws rank them."""
