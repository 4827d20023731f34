"""What learns: two networks, the terms of their losses, their trainer, and the run it leaves."""
