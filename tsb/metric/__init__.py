"""How good a network is at its task: one metric per file, with its direction and unit."""
