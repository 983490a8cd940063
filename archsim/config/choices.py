"""Names that several halves of archsim choose from; nothing is imported, so that all may ask here.

What a setting of the chip may be stands in its schema, and the design batch takes it from there
(:func:`archsim.config.lookup.schema_fields`).
"""

from __future__ import annotations

from typing import Literal, get_args

#: Where the shared block is placed, in the order of the codes of a design batch.
Placement = Literal["none", "common", "separate"]
PLACEMENTS: tuple[str, ...] = get_args(Placement)
#: The placements of a design that has a block.
WITH_BLOCK = PLACEMENTS[1:]
#: How a weight lies on cells; what each means is in :mod:`archsim.config.encodings`.
Encoding = Literal["magnitude", "offset", "differential", "separate-sign"]
ENCODINGS: tuple[str, ...] = get_args(Encoding)
#: Those that a chip can store: the sign is in its cells.
StoredEncoding = Literal["offset", "differential", "separate-sign"]
STORED_NAMES: tuple[str, ...] = get_args(StoredEncoding)
#: What is write-verified together, where the cost engine knows a price: single weights, whole rows
#: of a crossbar.
PricedGranularity = Literal["weight", "row"]
PRICED_GRANULARITIES: tuple[str, ...] = get_args(PricedGranularity)
#: And with subarrays, all that can be programmed.
GRANULARITIES = (*PRICED_GRANULARITIES, "subarray")
#: What shares one full-scale conductance: the whole tensor, or each output channel ("column": its
#: own digital scale, folded into the affine part of a batch norm where there is one).
Scaling = Literal["tensor", "column"]
SCALINGS: tuple[str, ...] = get_args(Scaling)
#: How outputs of cells that have drifted are multiplied (docs/how-to/drift.md).
CompensationName = Literal["none", "layer", "column"]
COMPENSATIONS: tuple[str, ...] = get_args(CompensationName)
#: How accuracies take a chip to be read (docs/read-path.md).
ReadPath = Literal["off", "approximate", "exact"]
READ_PATHS: tuple[str, ...] = get_args(ReadPath)
#: Number formats of a training's passes; weights and their updates are float32 in both.
TrainingPrecision = Literal["float32", "bfloat16"]
TRAINING_PRECISIONS: tuple[str, ...] = get_args(TrainingPrecision)

#: What tables and ``--copies`` call ``tsb.copies: null``.
BY_PLACEMENT = "default"
