"""The operators that archsim knows by name, and what each asks of the hardware.

An operator with numbers to read (kernels, weights) has a reader in ``readers.py`` instead.
"""

from __future__ import annotations

from archsim.errors import Code, NetworkError
from archsim.network.operation import OpKind

#: One kind a line (continued lines are indented), then its PyTorch operators without namespace.
_TABLE = """
batch_norm: batch_norm native_batch_norm
norm: layer_norm group_norm instance_norm rms_norm
relu: relu
activation: relu6 hardtanh leaky_relu elu gelu silu sigmoid tanh hardswish hardsigmoid mish softplus
    prelu rrelu selu celu clamp clamp_min clamp_max glu log_sigmoid logsigmoid softsign threshold
    multi_threshold
add: add sub rsub
elementwise: mul div truediv pow square sqrt rsqrt exp log neg abs reciprocal maximum minimum where
    sign round floor ceil sin cos erf eq ne lt le gt ge masked_fill addcmul lerp logical_not
    logical_and logical_or bitwise_not upsample_nearest1d upsample_nearest2d
    upsample_nearest3d upsample_linear1d upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d
    interpolate
reduce: mean sum amax amin max min prod argmax argmin var std var_mean cumsum norm
    linalg_vector_norm topk sort col2im fold
softmax: softmax log_softmax _softmax _log_softmax logsoftmax
embedding: embedding embedding_bag
cat: cat concat stack
reshape: flatten view reshape _unsafe_view unflatten permute transpose t T mT contiguous clone
    squeeze unsqueeze select slice expand expand_as repeat repeat_interleave chunk split
    split_with_sizes tensor_split unbind getitem pad constant_pad_nd reflection_pad2d
    replication_pad2d roll index index_select gather narrow movedim moveaxis swapaxes alias detach
    to _to_copy type_as float lift_fresh_copy pixel_shuffle pixel_unshuffle channel_shuffle view_as
    reshape_as flip tile copy as_strided unfold im2col numpy_T
dropout: dropout dropout1d dropout2d feature_dropout alpha_dropout native_dropout identity
"""


def _parse(table: str) -> dict[str, OpKind]:
    kinds: dict[str, OpKind] = {}
    kind = OpKind.OTHER
    for word in table.split():
        if word.endswith(":"):
            kind = OpKind(word[:-1])
        else:
            kinds[word] = kind
    return kinds


KIND_OF: dict[str, OpKind] = _parse(_TABLE)

_FUSED = "a fused attention layer; use torch.nn.functional.scaled_dot_product_attention"

#: Operators that hold a weight matrix in a form that archsim cannot map, and how to replace them.
REFUSED: dict[str, str] = {
    "_native_multi_head_attention": _FUSED,
    "_transformer_encoder_layer_fwd": _FUSED,
    "MultiheadAttention": _FUSED,
}

#: Recurrent layers, which are unrolled, and single steps of them.
RECURRENT = frozenset(
    name + step for name in ("lstm", "gru", "rnn_tanh", "rnn_relu") for step in ("", "_cell")
)

#: Matrix products: a layer where one factor is a weight, digital work where none is.
PRODUCTS = frozenset({"matmul", "mm", "bmm", "addmm", "baddbmm", "einsum"})

#: Operators that give a part of a tensor; writing to the part changes the tensor behind the trace.
PARTIAL_VIEWS = frozenset({"slice", "select", "narrow", "getitem", "unbind", "diagonal"})
#: Operators that write to a part of a tensor.
PARTIAL_WRITES = frozenset({"index_put", "setitem", "scatter", "slice_scatter", "index_copy"})


def partial_write(module: str) -> NetworkError:
    """The error for a model that writes to a part of a tensor in ``module``."""
    return NetworkError(
        f"module '{module or 'the model'}' writes into a part of a tensor (x[...] = y), so that "
        "the data flow cannot be followed; build the tensor with torch.cat instead",
        code=Code.UNSUPPORTED_OPERATOR,
        field=module or None,
    )
