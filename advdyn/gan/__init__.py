"""Two networks in a game, of any study: batched networks, the game, a fresh discriminator, a judge."""
