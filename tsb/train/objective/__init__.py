"""Training objectives, one file each; :mod:`tsb.train.objective.registry` lists them."""
