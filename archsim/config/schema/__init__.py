"""What a user may write: the pydantic models of presets, one file per kind.

These models live at the border only. Inside, :class:`archsim.arch.design.DesignBatch` holds the
same numbers as SI tensors. Every key is documented by its ``description``, which is also what
``archsim schema chip`` prints for editors.
"""
