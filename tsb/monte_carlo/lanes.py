"""How many instances and images the generated code works on at once."""

#: Instances side by side: float32 lanes of one 512-bit vector, or of two 256-bit ones.
LANES = 16
#: Images that go through the linear layers together, so that weights are loaded once for all.
IMAGE_TILE = 4
