"""Effects between a weight that was asked for and the sum that a converter reports.

One effect is one file; :mod:`tsb.read_path.effects.registry` names them all.
"""
