"""What both objectives of NeFT share: outputs that are fed back with a negative sign.

NeFT is Qin et al., arXiv 2305.14561; formulas and numbers are those of its authors' public code
(github.com/YifanQin-ND/NeFT_CIM, MIT; also stored as NF_Training: ``src/loss_fn.py``,
``src/train_fn.py``, ``models/irs_block.py``, ``config.py``), since only the abstract of the paper
was at hand.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

#: Publication of both.
NEFT = "Qin et al., NeFT, arXiv 2305.14561"


def negative_feedback(
    scores: Float[Tensor, "images classes"],
    feedback: Sequence[Float[Tensor, "images classes"]],
    beta: float,
    decay: float,
) -> Float[Tensor, "images classes"]:
    """Return the scores less their feedback, over the number of outputs.

    ``(scores - beta sum_i decay^i feedback_i) / (1 + n)`` for n outputs fed back, i from 0 on:
    NeFT (arXiv 2305.14561), in the form of its public code, which has ``decay = 0.1``.

    Args:
        scores: of the backbone.
        feedback: outputs that are less representative, the least so first.
        beta: strength of the feedback.
        decay: strength of each output over that of the one before.
    """
    total = sum((decay**i * output for i, output in enumerate(feedback)), torch.zeros_like(scores))
    return (scores - beta * total) / (len(feedback) + 1)
