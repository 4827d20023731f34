"""The proving ground: GANs on digits, with the networks, losses and trainer of the tagger."""
