"""The game that generator and discriminator play, and all that is done once while training."""
