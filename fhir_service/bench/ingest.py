"""How fast device data becomes durable Observations, and what they weigh on disk.

A delivery goes through `intake.take`: parser, consent, duplicates, templates,
compression, encryption, indexes, audit, and one durable commit. Several are in
flight, so that they share a commit as they do behind the door.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched  # type: ignore[attr-defined]
