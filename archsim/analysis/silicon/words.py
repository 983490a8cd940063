"""What tables of published macros call memories and ways of sensing."""

from __future__ import annotations

from archsim.arch.macro import CONVERTER_KINDS, MACRO_MEMORIES, NON_VOLATILE

#: Words for memories, in lower case, besides the names that the model has.
_MEMORIES = {
    "reram": "rram",
    "memristor": "rram",
    "stt-mram": "mram",
    "sot-mram": "mram",
    "nor": "flash",
    "eflash": "flash",
    "nor-flash": "flash",
    "sonos": "flash",
    "dram": "edram",
    "gain-cell": "edram",
    "feram": "fefet",
}
#: Ways of sensing by the letters of the benchmark's table.
_SENSINGS = {
    "IS": "current",
    "QS": "charge-sum",
    "QR": "charge-redistribution",
    "QS-QR": "charge-sum",
    "TD": "time-domain",
    "DIMC": "digital",
    "CURRENT": "current",
    "CHARGE-SUM": "charge-sum",
    "CHARGE-REDISTRIBUTION": "charge-redistribution",
    "TIME-DOMAIN": "time-domain",
    "DIGITAL": "digital",
}
#: Words for kinds of converters, in lower case, besides the names that the model has.
_CONVERTERS = {
    "": CONVERTER_KINDS[0],
    "sar": "binary-search",
    "single-slope": "ramp",
    "integrating": "ramp",
    "cco": "oscillator",
    "vco": "oscillator",
}


def converter_of(said: str) -> tuple[str | None, str]:
    """Return the kind of converter that a row names, or None and the reason.

    Args:
        said: column ``adc_kind``; empty where nobody says.
    """
    lower = said.lower()
    found = lower if lower in CONVERTER_KINDS else _CONVERTERS.get(lower)
    allowed = ", ".join((*CONVERTER_KINDS, *(word for word in _CONVERTERS if word)))
    return found, "" if found else f"adc_kind = '{said}' is not known; allowed: {allowed}"


def memory_of(memory: str, cell: str) -> tuple[str | None, str]:
    """Return the memory that a row names, or None and the reason.

    Args:
        memory: column ``memory``; where it is empty the words of ``cell`` say.
        cell: column ``cell``, e.g. ``eNVM ReRAM+Par IS``.
    """
    named = _known_memory(memory)
    if named is not None:
        return named, ""
    if memory:
        allowed = ", ".join(MACRO_MEMORIES)
        return None, f"memory = '{memory}' is not known; allowed: {allowed}"
    words = cell.replace("+", " ").split()
    found = next((found for word in words if (found := _known_memory(word))), None)
    if found is None:
        return None, "memory is not known"
    return found, ""


def sensing_of(sensing: str, cell: str, memory: str) -> tuple[str | None, str]:
    """Return how a row's columns are read, or None and the reason.

    Args:
        sensing: column ``sensing``; where it is empty the cell says.
        cell: column ``cell``.
        memory: of :func:`memory_of`.
    """
    if sensing:
        found = _SENSINGS.get(sensing.upper())
        said = f"sensing = '{sensing}' is not known; allowed: {', '.join(list(_SENSINGS)[:6])}"
        return found, "" if found else said
    words = cell.split()
    if words and words[-1] in _SENSINGS:
        return _SENSINGS[words[-1]], ""
    if "Digital" in words:
        return None, "near-memory or digital without sensing: not an in-memory macro"
    if memory in NON_VOLATILE:
        return "current", ""
    if any("T" in word and "C" in word for word in words):
        return "charge-redistribution", ""
    return None, "sensing is not known"


def _known_memory(word: str) -> str | None:
    lower = word.lower()
    return lower if lower in MACRO_MEMORIES else _MEMORIES.get(lower)
