"""The exact read path of a study: which chip, which rows, which images it is calibrated on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archsim.config.study import Study
from archsim.errors import Code, ConfigError
from tsb.correction.base import Carrier
from tsb.correction.exact import ExactReader
from tsb.data import Dataset
from tsb.program.chip import ProgrammedChip
from tsb.read_path.row_groups import RowGroups
from tsb.study.conditions import read_settings
from tsb.study.programming import cell_spec
from tsb.study.units import MethodUnit

#: Rows that the chip of a study reads together, by layer name, as the mapping placed them.
RowsOf = Callable[[Study], Mapping[str, RowGroups]]
#: Training images that input codes, and ranges of converters, are taken from.
INPUT_IMAGES, RANGE_IMAGES = 500, 100


def exact_reader(
    study: Study,
    unit: MethodUnit,
    carrier: Carrier,
    chip: ProgrammedChip,
    data: Dataset,
    rows_of: RowsOf | None,
) -> ExactReader:
    """Return what reads the chips of a backbone exactly, calibrated on training images.

    Args:
        study: which.
        unit: which method.
        carrier: the network, with its corrections attached.
        chip: any of the backbone's.
        data: of the study.
        rows_of: the mapping of a study.

    Raises:
        ConfigError: no mapping, or settings that cannot be read.
        NetworkError: a layer that cannot be read, by name.
    """
    if rows_of is None:
        raise ConfigError(
            "study.read_path = 'exact' needs the rows that a mapping reads together: "
            "archsim.train gives them",
            code=Code.MISSING_KEY,
            field="study.read_path",
            value=study.read_path,
            allowed="off, or a call of archsim.train",
        )
    spec = cell_spec(study, unit.sigma)
    settings = read_settings(study, spec.weight_format)
    images = data.train.spread(INPUT_IMAGES).images
    return ExactReader.of_backbone(
        carrier,
        chip.to("cpu"),
        settings,
        rows_of(study),
        images.cpu(),
        range_images=RANGE_IMAGES,
        approximate=study.read_path == "approximate",
    )
