"""The cost engine: area, energy, time and programming of a mapping plan."""
