"""What a request may see of all patients, decided when a patient is met.

A page shows few of them, so what it costs does not hang on how many there are.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from fhir_service.storage.predicate import View


@dataclass(frozen=True, kw_only=True, slots=True)
class Views:
    """The views of all patients' rows of one type, in one snapshot.

    Attributes:
        of: Returns the view of each of these patients; who is missing is hidden.
        everybody: Returns all of them as one view.

    """

    of: Callable[[Collection[int]], Mapping[int, View]]
    everybody: Callable[[], View]
