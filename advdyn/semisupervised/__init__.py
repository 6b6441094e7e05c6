"""The study `semisupervised`: virtual adversarial training, and what unlabelled images add to a few labelled ones."""
