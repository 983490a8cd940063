"""Find good designs without visiting all: generations of proposals, and gradients."""
