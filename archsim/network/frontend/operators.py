"""The operators that archsim knows by name, and what each asks of the hardware.

An operator with numbers to read (kernels, weights) has a reader in ``readers.py`` instead.
"""

from __future__ import annotations

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
    reshape_as flip tile copy as_strided unfold im2col numpy_T index_put scatter scatter_add
    slice_scatter select_scatter index_copy index_add masked_scatter one_hot
    view_as_real view_as_complex real imag complex conj resolve_conj resolve_neg conj_physical
    _conj
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

#: Operators that give their first operand in another number format: no work, and left out.
NUMBER_FORMATS = frozenset(
    {
        *("quantize_per_tensor", "quantize_per_channel", "quantize_per_tensor_dynamic"),
        *("dequantize", "dequantize_per_tensor", "dequantize_per_channel", "quantize_per_token"),
        *("dequantize_per_token", "quantize_per_channel_group", "dequantize_per_channel_group"),
        *("fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine"),
        *(
            "fake_quantize_per_tensor_affine_cachemask",
            "fake_quantize_per_channel_affine_cachemask",
        ),
        *("fused_moving_avg_obs_fake_quant", "_fused_moving_avg_obs_fq_helper"),
        *("_fake_quantize_per_tensor_affine_cachemask_tensor_qparams", "int_repr"),
        *("_fake_quantize_learnable_per_tensor_affine", "convert_element_type", "quantize_affine"),
        *("_fake_quantize_learnable_per_channel_affine", "dequantize_affine", "Quantize"),
        *(
            "DeQuantize",
            "QuantStub",
            "DeQuantStub",
            "FakeQuantize",
            "FusedMovingAvgObsFakeQuantize",
        ),
    }
)

#: Recurrent layers, which are unrolled, and single steps of them.
RECURRENT = frozenset(
    name + step for name in ("lstm", "gru", "rnn_tanh", "rnn_relu") for step in ("", "_cell")
)

#: Matrix products: a layer where one factor is a weight, digital work where none is.
PRODUCTS = frozenset({"matmul", "mm", "_int_mm", "bmm", "addmm", "baddbmm", "einsum"})

#: Operators whose result shows values of their first operand: what is written into it changes both.
VIEWS = frozenset(
    {
        *("slice", "select", "narrow", "diagonal", "view", "_unsafe_view", "reshape", "flatten"),
        *("unflatten", "permute", "transpose", "t", "mT", "T", "numpy_T", "squeeze", "unsqueeze"),
        *("expand", "expand_as", "view_as", "reshape_as", "movedim", "moveaxis", "swapaxes"),
        *("alias", "detach", "as_strided", "unfold", "contiguous", "to"),
        *("chunk", "split", "split_with_sizes", "tensor_split", "unbind", "unsafe_split"),
    }
)
#: Operators whose outputs are parts of their input.
SPLITS = frozenset({"chunk", "split", "split_with_sizes", "tensor_split", "unbind", "unsafe_split"})
#: Operators that make a tensor of its own, of a given shape: nothing of their operands is in it.
CREATES = frozenset(
    f"{how}_{what}" if how == "new" else f"{what}_{how}"
    for how in ("new", "like")
    for what in ("zeros", "ones", "full", "empty")
)
