"""ONNX operators whose calls need no more than a PyTorch name, and where the others are read."""

from __future__ import annotations

from archsim.network.frontend.onnx_fused import FUSED_READERS
from archsim.network.frontend.onnx_model import Node
from archsim.network.frontend.onnx_patterns import PATTERNS
from archsim.network.frontend.onnx_readers import READERS
from archsim.network.frontend.onnx_recurrent import recurrent
from archsim.network.frontend.onnx_unknown import lose, refuse_matrices
from archsim.network.frontend.onnx_walk import Walk, gives_input

#: PyTorch operator, then the ONNX operators that are the same work.
_TABLE = """
relu: Relu
leaky_relu: LeakyRelu
elu: Elu
selu: Selu
celu: Celu
gelu: Gelu
silu: Swish
sigmoid: Sigmoid
tanh: Tanh
hardsigmoid: HardSigmoid
hardswish: HardSwish
mish: Mish
softplus: Softplus
softsign: Softsign
prelu: PRelu
threshold: ThresholdedRelu Shrink
multi_threshold: MultiThreshold
log_softmax: LogSoftmax
argmax: ArgMax Hardmax
argmin: ArgMin
layer_norm: LayerNormalization MeanVarianceNormalization
group_norm: GroupNormalization
instance_norm: InstanceNormalization
rms_norm: RMSNormalization
norm: LpNormalization GlobalLpPool ReduceL1 ReduceL2 ReduceSumSquare
add: Add Sum
sub: Sub
mul: Mul BitShift RotaryEmbedding
div: Div
pow: Pow
sqrt: Sqrt
exp: Exp
log: Log
neg: Neg
abs: Abs
reciprocal: Reciprocal
maximum: Max
minimum: Min
where: Where
sign: Sign
round: Round
floor: Floor
ceil: Ceil
sin: Sin
cos: Cos
erf: Erf
eq: Equal IsNaN IsInf
lt: Less
gt: Greater
le: LessOrEqual
ge: GreaterOrEqual
logical_not: Not
logical_and: And BitwiseAnd
logical_or: Or Xor BitwiseOr BitwiseXor
bitwise_not: BitwiseNot
sum: ReduceSum ReduceLogSum ReduceLogSumExp
amax: ReduceMax
amin: ReduceMin
prod: ReduceProd
cumsum: CumSum
topk: TopK
cat: Concat
split: Split
slice: Slice
flatten: Flatten
reshape: Reshape
permute: Transpose
squeeze: Squeeze
unsqueeze: Unsqueeze
expand: Expand
tile: Tile
gather: GatherElements
index: GatherND
flip: ReverseSequence
constant_pad_nd: Pad
interpolate: Resize Upsample
pixel_shuffle: DepthToSpace
pixel_unshuffle: SpaceToDepth
dropout: Dropout
to: Cast CastLike
"""


def _parse(table: str) -> dict[str, str]:
    rows = (line.split(":") for line in table.strip().splitlines())
    return {word: name for name, words in rows for word in words.split()}


_PLAIN = _parse(_TABLE)


def translate(walk: Walk, node: Node) -> None:
    """Add the calls for ``node``.

    An operator that is not known keeps its name, with its domain in front, so that it is listed.

    Raises:
        NetworkError: The node cannot be read.
    """
    if node.op in ("LSTM", "GRU", "RNN"):
        recurrent(walk, node)
    elif node.op in PATTERNS and PATTERNS[node.op](walk, node):
        return
    elif node.op in _READERS:
        _READERS[node.op](walk, node)
    else:
        if not is_known(node):
            refuse_matrices(walk, node)
        plain(walk, node, _PLAIN.get(node.op, node.op))


def unread(walk: Walk, node: Node) -> bool:
    """Pass over ``node`` if it is unknown, or hangs on one that is, and its shapes are not told.

    Raises:
        NetworkError: It reads a stored matrix.
    """
    origin = next((walk.lost[name] for name in node.inputs if name in walk.lost), None)
    if origin is None:
        told = all(walk.types.types[name].shape is not None for name in node.outputs if name)
        if told or is_known(node) or gives_input(node):
            return False
        origin = node.label
    lose(walk, node, origin)
    return True


_READERS = READERS | FUSED_READERS


def is_known(node: Node) -> bool:
    """Whether archsim knows what ``node`` does."""
    recurrent_ = node.op in ("LSTM", "GRU", "RNN")
    return recurrent_ or node.op in _READERS or node.op in PATTERNS or node.op in _PLAIN


def plain(walk: Walk, node: Node, op: str) -> None:
    """Add a call of ``op`` with the operands of ``node``, and nothing else."""
    operands = [walk.operand(node, index) for index in range(len(node.inputs))]
    args = {f"input{i or ''}": value for i, value in enumerate(operands) if value is not None}
    walk.give(node, walk.emit(node, op, args))
