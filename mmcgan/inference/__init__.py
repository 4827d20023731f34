"""What answers: a model's files, its scorers, the words and the photos. It knows no training."""
