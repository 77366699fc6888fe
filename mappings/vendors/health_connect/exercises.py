"""Types of an exercise session, by their number in Health Connect.

https://developer.android.com/reference/kotlin/androidx/health/connect/client/records/ExerciseSessionRecord
"""

from collections.abc import Mapping
from types import MappingProxyType

_STRENGTH = "traditional-strength-training"

EXERCISES: Mapping[int, str] = MappingProxyType(
    {
        0: "other",
        2: "badminton",
        4: "baseball",
        5: "basketball",
        8: "cycling",
        9: "cycling",
        10: "cross-training",
        11: "boxing",
        13: "functional-strength-training",
        14: "cricket",
        16: "dance",
        25: "elliptical",
        26: "other",
        27: "fencing",
        28: "american-football",
        29: "australian-football",
        31: "disc-sports",
        32: "golf",
        33: "mind-and-body",
        34: "gymnastics",
        35: "handball",
        36: "high-intensity-interval-training",
        37: "hiking",
        38: "hockey",
        39: "skating-sports",
        44: "martial-arts",
        46: "paddle-sports",
        47: "other",
        48: "pilates",
        50: "racquetball",
        51: "climbing",
        52: "hockey",
        53: "rowing",
        54: "rowing",
        55: "rugby",
        56: "running",
        57: "running",
        58: "sailing",
        59: "underwater-diving",
        60: "skating-sports",
        61: "snow-sports",
        62: "snowboarding",
        63: "snow-sports",
        64: "soccer",
        65: "softball",
        66: "squash",
        68: "stair-climbing",
        69: "stair-climbing",
        70: _STRENGTH,
        71: "flexibility",
        72: "surfing-sports",
        73: "swimming",
        74: "swimming",
        75: "table-tennis",
        76: "tennis",
        78: "volleyball",
        79: "walking",
        80: "water-polo",
        81: _STRENGTH,
        82: "wheelchair-walk-pace",
        83: "yoga",
    }
)
"""Number → code of a workout. Numbers that are missing were exercises of a gym, such as
a bench press, and are no longer types of a session."""

GYM = frozenset(
    {1, 3, 6, 7, 12, 15, *range(17, 25), 30, 40, 41, 42, 43, 45, 49, 67, 77}
)
"""Those numbers; they count as strength training."""


def exercise(number: object) -> str | None:
    """Return the code of a workout; None for a number that is not known."""
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    return _STRENGTH if number in GYM else EXERCISES.get(number)
