"""Which inputs of two joint reports differ, down to the setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: An input that differs: path, before, after.
Changed = tuple[str, Any, Any]
#: Input that lists the hashes of configurations.
_HASHES = "configurations"
#: Inputs that say the same as the settings, or hold them.
_SETTINGS = frozenset({_HASHES, "chips", "settings", "settings_of"})
#: Lists of which single ones are compared whatever their names: the name of the one.
_SINGLE = {"studies": "study", "runs": "run", "sweeps": "sweep"}


def changed_inputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Changed]:
    """Return the inputs of two reports that differ.

    Single studies are compared setting by setting, whatever their names. Settings of chip, device
    and the like stand once where all designs of both reports agree, else with their designs.

    Args:
        before: ``inputs`` of the first ``report.json``.
        after: of the second.
    """
    one, other = _alone(before, after), _alone(after, before)
    if "settings" not in before or "settings" not in after:  # of an older report
        left_out = _SETTINGS - {_HASHES, "chips"}
        return _changed(_without(one, left_out), _without(other, left_out))
    changes = _changed(_without(one, _SETTINGS), _without(other, _SETTINGS))
    return changes + _changed_settings(before, after)


def _without(inputs: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if key not in names}


def _alone(inputs: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs in which a single study, of both reports, stands for itself."""
    alone = {}
    for key, value in inputs.items():
        single = key in _SINGLE and len(value) == len(others.get(key, ())) == 1
        alone[_SINGLE[key] if single else key] = value[0] if single else value
    return alone


def _changed_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Changed]:
    one, other = before["settings_of"], after["settings_of"]
    both = [name for name in one if name in other]
    if not both:
        return _changed(before["settings"], after["settings"])
    groups: dict[tuple[str, str, str], list[str]] = {}
    values: dict[tuple[str, str, str], Changed] = {}
    for name in both:
        ends = {**before["settings"], **one[name]}, {**after["settings"], **other[name]}
        for change in _changed(*ends):
            key = (change[0], repr(change[1]), repr(change[2]))
            groups.setdefault(key, []).append(name)
            values[key] = change
    changes = []
    for key, names in groups.items():
        path, *pair = values[key]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        where = "" if len(names) == len(both) else f" ({names[0]}{more})"
        changes.append((f"{path}{where}", pair[0], pair[1]))
    return changes


def _changed(before: Any, after: Any, path: str = "") -> list[Changed]:
    if path == _HASHES and before != after:
        return [(path, _counted(before, after), _counted(after, before))]
    one, other = _keyed(before), _keyed(after)
    if one is None or other is None:
        return [] if before == after else [(path, before, after)]
    changes = []
    for key in dict.fromkeys([*one, *other]):
        here = f"{path}.{key}" if path else key
        changes += _changed(one.get(key), other.get(key), here)
    return changes


def _counted(hashes: Any, others: Any) -> str:
    """Return how many hashes there are and how many are only here: themselves, they say nothing."""
    here, rest = set(hashes or ()), set(others or ())
    return f"{len(here)} hashes, {len(here - rest)} only here"


def _keyed(value: Any) -> dict[str, Any] | None:
    """Return a mapping by key, a list of named things by name, other lists of things by place."""
    if isinstance(value, Mapping):
        return {str(key): entry for key, entry in value.items()}
    if isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
        names = [str(entry.get("name", place)) for place, entry in enumerate(value)]
        if len(set(names)) == len(names):
            return dict(zip(names, value, strict=True))
    return None
