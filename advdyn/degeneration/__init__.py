"""The study `degeneration`: degenerative adversarial networks, and what of the data survives them."""
