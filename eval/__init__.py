"""How good and how fast the tagger is."""
