"""archsim: co-design of neural networks and non-volatile compute-in-memory accelerators."""

__version__ = "0.1.0"
