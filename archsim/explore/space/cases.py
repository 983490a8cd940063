"""Which accuracy a point of a sweep has: points that agree in what it depends on share a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import product
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from archsim.config.priced_policies import NOTHING, PRICED_POLICIES, priced_policy
from archsim.config.resolve import resolve
from archsim.config.schema.device import DeviceFile
from archsim.config.sweep import Scalar
from archsim.config.write_laws import PULSE_KEYS
from archsim.device import CellSpec
from archsim.errors import Code, ConfigError
from archsim.explore.space.axes import Dimension
from archsim.explore.space.identity import identity_hash
from archsim.explore.space.points import Space
from archsim.explore.space.read_settings import READ_NOISE, read_value
from archsim.explore.space.selection import Selection
from tsb.read_path.settings import ReadSettings

#: Settings that accuracy depends on, beside those of an exact read path.
PATHS = (
    "network",
    "chip",
    "device",
    "chip.device",
    "design",
    "chip.precision.bits_per_cell",
    "chip.precision.weight_bits",
    "chip.precision.encoding",
    "chip.programming.policy",
    "chip.hierarchy.linear_copies",
    "tsb",
    "tsb.channels",
    "tsb.depth",
    "tsb.insertion",
)

#: Constants of a device that cost depends on, and accuracy not.
_COST_ONLY = frozenset(
    {
        *("name", "description", "access", "write_law"),
        *(key for key in PULSE_KEYS if key != "r_on"),
        *("verify_read_time", "verify_read_energy", "retention_time", "endurance_cycles"),
    }
)
#: Constants that matter to accuracy only where cells are stuck or drift.
_RESISTANCES = frozenset({"r_on", "r_off"})


@dataclass(frozen=True, kw_only=True)
class AccuracyCase:
    """All that the accuracy of a point depends on, beside the study.

    Attributes:
        network: name.
        chip: preset or file.
        device: preset or file.
        weight_bits: M.
        bits_per_cell: K.
        encoding: how the accuracy takes weights to lie on cells; read exactly, as they are stored.
        chip_encoding: how the chip stores them, which its cost is of.
        sigma: of one pulse, relative to the range of conductance.
        policy: what is write-verified: one of those that a study has.
        block: channels and depth of the shared block, and where it is put; None without a block.
        read: settings of the exact read path by path, constants in SI; none where it is off.
    """

    network: str
    chip: str
    device: str
    weight_bits: int
    bits_per_cell: int
    encoding: str
    chip_encoding: str
    sigma: float
    policy: str
    block: tuple[int, int, str] | None
    read: tuple[tuple[str, Scalar], ...] = ()

    @property
    def key(self) -> str:
        """Name of the case in the rows of a sweep: a hash of its attributes."""
        return identity_hash(self.as_json())

    def as_json(self) -> dict[str, Any]:
        """Return the attributes; a read path that is off is not named."""
        values = asdict(self)
        read = dict(values.pop("read"))
        return {**values, "read": read} if read else values


def case_of(space: Space, settings: Mapping[str, Scalar]) -> AccuracyCase | None:
    """Return the case of a point; None where no configuration has these settings.

    Args:
        space: of the sweep.
        settings: those of :data:`PATHS` that are axes.

    Raises:
        ConfigError: a write policy, copies or constants of a device that studies do not know.
    """
    try:
        resolved, design, graph = space.resolve(settings)
    except ConfigError:
        return None
    policy = priced_policy(resolved.chip.programming.policy)
    if policy.in_study is None:
        known = tuple(each.name for each in PRICED_POLICIES if each.in_study is not None)
        raise ConfigError(
            f"chip.programming.policy = {policy.name} with fidelity = accuracy; allowed: "
            f"{', '.join(known)}",
            code=Code.UNSUPPORTED,
            field="chip.programming.policy",
            value=policy.name,
            allowed=known,
        )
    if resolved.chip.hierarchy.linear_copies != 1:
        raise ConfigError(
            f"chip.hierarchy.linear_copies = {resolved.chip.hierarchy.linear_copies} with "
            "fidelity = accuracy: averaged copies are for methods of studies; allowed: 1",
            code=Code.UNSUPPORTED,
            field="chip.hierarchy.linear_copies",
            value=resolved.chip.hierarchy.linear_copies,
            allowed="1",
        )
    network = str(settings.get("network", space.sweep.network))
    tsb = resolved.tsb
    asked = space.read_paths
    _check_device(resolved.chip.device, resolved.device, asked)
    spec = CellSpec.of_chip(resolved, encoding=resolved.chip.precision.encoding if asked else None)
    if asked:  # refuses what cannot be read
        ReadSettings.of_chip(resolved, spec.weight_format, noisy=READ_NOISE in asked)
    return AccuracyCase(
        network=network if ":" in network else graph.name,
        chip=str(settings.get("chip", space.sweep.chip)),
        device=resolved.chip.device,
        weight_bits=spec.weight_format.weight_bits,
        bits_per_cell=spec.weight_format.bits_per_cell,
        encoding=spec.encoding,
        chip_encoding=spec.stored_encoding,
        sigma=spec.sigma_of_range,
        policy=(NOTHING if policy.needs_block and design == "none" else policy).name,
        block=None if design == "none" else (tsb.channels, tsb.depth, tsb.insertion),
        read=tuple((path, read_value(resolved, path)) for path in asked),
    )


@lru_cache(maxsize=64)
def _preset(name: str) -> DeviceFile:
    # One bit fits every device; what else a device says does not depend on it.
    return resolve(device=name, overrides=["chip.precision.bits_per_cell=1"]).device


def _check_device(name: str, device: DeviceFile, read: tuple[str, ...]) -> None:
    """Refuse constants that differ from the device's file: a study takes them from there.

    Args:
        name: of the file.
        device: of the point.
        read: settings of the read path, which a study is told.

    Raises:
        ConfigError: names the constant.
    """
    known = _preset(name)
    shrugs = _COST_ONLY | {"sigma"} | {path.removeprefix("device.") for path in read}
    rates = (device.stuck_on_rate, device.stuck_off_rate, device.drift_nu)
    if device.spread_reference == "range" and not any(rate and rate.si for rate in rates):
        shrugs |= _RESISTANCES
    for field in type(device).model_fields:
        if field in shrugs or _said(device, field) == _said(known, field):
            continue
        raise ConfigError(
            f"device.{field} differs from the file of device '{name}', with fidelity = accuracy; "
            "studies take it from there: put it into a device file of its own (extends:), and "
            "name that; allowed to differ: sigma, and what only cost depends on",
            code=Code.UNSUPPORTED,
            field=f"device.{field}",
            value=_said(device, field),
        )


def _said(device: DeviceFile, field: str) -> object:
    """Return what a device says of a field, without where the number comes from."""
    return _plain(device.model_dump(mode="json")[field])


def _plain(node: object) -> object:
    if isinstance(node, dict):
        if "value" in node:
            return (node["value"], node.get("unit"))
        return {key: _plain(value) for key, value in node.items()}
    return node


def box_keys(space: Space, box: Selection) -> np.ndarray:
    """Return the key of every point of a box, in its full shape; or None.

    Args:
        space: of the sweep.
        box: which points.
    """
    axes = _relevant(space)
    indices = np.broadcast_arrays(np.zeros([1] * len(box.shape)), *(box.index(i) for i in axes))[1:]
    keys = np.empty(indices[0].shape if axes else [1] * len(box.shape), dtype=object)
    for where in np.ndindex(keys.shape):
        case = _case_at(space, axes, tuple(int(index[where]) for index in indices))
        keys[where] = None if case is None else case.key
    whole: np.ndarray = np.broadcast_to(keys, box.shape)
    return whole


def _relevant(space: Space) -> list[int]:
    """Places of the axes that accuracy depends on, or that decide whether such an axis applies."""
    names = [name for axis in space.grid.axes for name in axis.members]
    asked = {*PATHS, *space.read_paths, *filter(_of_device, names)}
    for axis in space.grid.axes:
        if axis.when is not None and asked & {*axis.members}:
            asked |= {*axis.when.names}
    return [i for i, axis in enumerate(space.grid.axes) if asked & {*axis.members}]


def _of_device(path: str) -> bool:
    """Say whether a setting is of the device, and more than cost depends on it."""
    root, _, rest = path.partition(".")
    return root == "device" and bool(rest) and rest.split(".")[0] not in _COST_ONLY


def _case_at(space: Space, axes: list[int], digits: tuple[int, ...]) -> AccuracyCase | None:
    known = _CASES.setdefault(space, {})
    if digits not in known:
        chosen = [space.grid.axes[place] for place in axes]
        settings = _settings(chosen, digits)
        known[digits] = case_of(space, settings)
    return known[digits]


#: Cases by digits of the relevant axes, while a space is in use.
_CASES: WeakKeyDictionary[Space, dict[tuple[int, ...], AccuracyCase | None]] = WeakKeyDictionary()


def _settings(axes: list[Dimension], digits: tuple[int, ...]) -> dict[str, Scalar]:
    tables: dict[str, np.ndarray] = {}
    settings: dict[str, Scalar] = {}
    for axis, digit in zip(axes, digits, strict=True):
        for name in axis.members:
            settings[name] = axis.values[digit]
            tables[name] = np.asarray([axis.values[digit]], dtype=object)
    for axis in axes:
        if axis.when is not None and not bool(axis.when.mask(tables).all()):
            for name in axis.members:
                del settings[name]
    return settings


def all_cases(space: Space) -> dict[str, AccuracyCase]:
    """Return every case of a sweep by its key.

    Args:
        space: of the sweep.
    """
    axes = _relevant(space)
    cases: dict[str, AccuracyCase] = {}
    for digits in product(*(range(len(space.grid.axes[place])) for place in axes)):
        case = _case_at(space, axes, digits)
        if case is not None:
            cases[case.key] = case
    return cases
