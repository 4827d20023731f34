"""What the GAN is compared with: fitted on the same features and tags, tuned on dev."""
