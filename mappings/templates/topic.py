"""The topic of an MQTT message, against the filter that a template names.

https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901242
"""

from collections.abc import Sequence

ONE, REST = "+", "#"


def filter_fault(text: str) -> str | None:
    """Return what is wrong with a topic filter (§4.7.1); None where nothing is."""
    levels = text.split("/")
    if not text or "\0" in text:
        return "A topic filter has at least one character."
    if any(ONE in level and level != ONE for level in levels):
        return "`+` stands for a whole level of a topic."
    if any(REST in level for level in levels[:-1]) or (
        REST in levels[-1] and levels[-1] != REST
    ):
        return "`#` stands for the last levels of a topic."
    return None


def matches(wanted: Sequence[str], levels: Sequence[str]) -> bool:
    """Return whether a filter names a topic, both as their levels.

    A wildcard does not name a topic that begins with `$` (§4.7.2).
    """
    if wanted[0] in (ONE, REST) and levels[0].startswith("$"):
        return False
    for index, level in enumerate(wanted):
        if level == REST:
            return True
        if index >= len(levels) or level not in (ONE, levels[index]):
            return False
    return len(levels) == len(wanted)
