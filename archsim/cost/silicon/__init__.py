"""The silicon model: one macro as published chips report it, one file per term.

Calibrated on published chips (``configs/silicon``), one set of constants for all of them. It stands
beside the engine that follows DNN+NeuroSim, never inside the same number.
"""
