"""One row of the joint table: a design with its accuracy, its cost and how it compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

#: Key of a field's metadata: its column, where that has another name than the field.
_COLUMN = "column"
#: Field whose keys are columns.
_HARDWARE = "hardware"


@dataclass(frozen=True, eq=False, kw_only=True)
class DesignRow:
    """One design in the joint table; None is what was not measured or not computed.

    The columns of JSON, CSV and pandas are the fields in their order, with those of ``hardware`` in
    its place. Fields of accuracy and effort are those of
    :class:`archsim.results.method_row.MethodRow`: fractions, and seconds.

    Attributes:
        method: name in the study.
        sigma: spread of one pulse, relative to the range of conductance.
        placement: of the shared block: none, common or separate; its column is ``design``.
        device: preset of the cells.
        network: name of the network.
        data: name of the data set.
        run: folder that the accuracy comes from.
        chosen: whether the study chooses the method by its validation accuracy.
        accuracy: mean on the test images.
        ci95_low: lower end of its 95 % interval over chips.
        ci95_high: its upper end.
        ci95_backbone_low: lower end of its 95 % interval over backbones.
        ci95_backbone_high: its upper end.
        std_chip: standard deviation between chips.
        std_run: that between the runs of one chip.
        worst: lowest accuracy of any chip and run.
        validation_accuracy: mean on the validation images.
        gap_closed: share of the baseline's gap to the noise-free network that is closed.
        chips: of each seed.
        runs: of each chip.
        seeds: backbones.
        images: test images of each run.
        trained_weights: that corrections train and write.
        verified_weights: that are write-verified.
        verified_share: of the network's weights.
        digital_parameters: numbers in digital logic.
        backbone_seconds: wall time of training a backbone, s.
        tune_seconds: wall time of training the corrections of one chip, s.
        macs_share: multiply-adds of training, over those of the baseline's whole schedule.
        hardware: totals in report units and overheads in per cent, by their column.
        validation_behind: how far behind the most accurate priced design on the validation images.
        validation_behind_noise: half-width of the 95 % interval of that difference.
        validation_images: that both rest on.
        notes: what the cost leaves out.
        command: that maps it by itself, "" for none.
        about: what the method is, in one line; "" where nothing is known.
        chip: preset or file that the design is priced on; None where nothing is known.
        encoding: how the accuracy takes weights to lie on cells; None where nothing is known.
        chip_encoding: how the chip stores them, which the cost is of.
        read_path: how the chips of the accuracy were read; None without one.
        adc_range: rule of the converters' ranges; None where the read path is off.
        adc_bits: of the converters.
        clip_rate: share of the column sums outside of their range, the worst of layers and slices.
        read_warnings: what converters of single layers do badly, joined by ``|``; None for nothing.
    """

    method: str
    sigma: float
    placement: str = field(metadata={_COLUMN: "design"})
    device: str
    network: str
    data: str
    run: str
    chosen: bool
    accuracy: float | None
    ci95_low: float | None
    ci95_high: float | None
    ci95_backbone_low: float | None
    ci95_backbone_high: float | None
    std_chip: float | None
    std_run: float | None
    worst: float | None
    validation_accuracy: float | None
    gap_closed: float | None
    chips: int | None
    runs: int | None
    seeds: int | None
    images: int | None
    trained_weights: int | None
    verified_weights: int | None
    verified_share: float | None
    digital_parameters: int | None
    backbone_seconds: float | None
    tune_seconds: float | None
    macs_share: float | None
    hardware: Mapping[str, float | int | None]
    validation_behind: float | None
    validation_behind_noise: float | None
    validation_images: int | None
    notes: tuple[str, ...]
    command: str
    about: str
    chip: str | None
    encoding: str | None
    chip_encoding: str | None
    read_path: str | None
    adc_range: str | None
    adc_bits: int | None
    clip_rate: float | None
    read_warnings: str | None

    def record(self) -> dict[str, Any]:
        """Return the row as a dictionary by column, for JSON, CSV and pandas."""
        record: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == _HARDWARE:
                record |= value
            else:
                record[_column(each)] = list(value) if isinstance(value, tuple) else value
        return record


def _column(each: Field[Any]) -> str:
    return str(each.metadata.get(_COLUMN, each.name))


#: Columns of the joint table beside those of the hardware, which are metrics.
COLUMNS = tuple(_column(each) for each in fields(DesignRow) if each.name != _HARDWARE)
