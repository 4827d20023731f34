"""What is computed of answers and draws: one measure or control a function."""
