"""What repairs a programmed chip: shared blocks, digital corrections, retrained layers."""

from tsb.correction.base import Carrier as Carrier
from tsb.correction.base import Correction as Correction
from tsb.correction.base import make_carrier as make_carrier
from tsb.correction.corrected import CorrectedChip as CorrectedChip
from tsb.correction.parse import parse_corrections as parse_corrections
from tsb.correction.registry import CORRECTIONS as CORRECTIONS
from tsb.correction.tune import TuneResult as TuneResult
from tsb.correction.tune import TuneSettings as TuneSettings
from tsb.correction.tune import tune as tune
