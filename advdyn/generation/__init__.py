"""The study `generation`: a generative adversarial network on images, judged from outside the game."""
