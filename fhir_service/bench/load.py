"""Load from outside the server: wrk where it is installed, else a program of ours.

Either shares the processors with the server, as the figures' page says. A round in
which a single answer was not a good one is no measurement. What is asked is a file
with a line for each request, as `fhir_service.bench.generator` reads it.

https://github.com/wg/wrk
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fhir_service.bench.generator import NUMBER
from fhir_service.bench.stage import BenchError

_SCRIPT = "requests.lua"
_GRACE_S = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """What one round of load has seen.

    Attributes:
        answers: How many.
        seconds: In which time.
        body_bytes: Of all answers, heads included.
        p50_ms: Median latency.
        p99_ms: 99th percentile of the latency.

    """

    answers: int
    seconds: float
    body_bytes: int
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load generator aimed at a server.

    Attributes:
        name: What it is, for the table.
        command: The program and what is the same in each round.
        connections: How many are open at once.

    """

    name: str
    command: tuple[str, ...]
    connections: int

    def round(self, lines: Path, headers: Path, *, skip: int, seconds: float) -> Round:
        """Ask what a file says, line by line, for a time.

        Args:
            lines: One request a line.
            headers: One header a line, as it is sent.
            skip: Requests to pass over at first, so that no two rounds are the same.
            seconds: How long.

        Raises:
            BenchError: where the load generator failed, or an answer was no good one.

        """
        arguments = _arguments(self, seconds, lines, headers, skip)
        done = subprocess.run(  # noqa: S603 - the program that was found, or our own
            arguments,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + _GRACE_S,
        )
        seen = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode or not seen:
            raise BenchError(f"The load generator failed: {done.stderr[-500:]}")
        counted = json.loads(seen[-1])  # Our own line, not a payload.
        if counted.pop("errors") or not counted["answers"]:
            raise BenchError("The server answered under load with errors.")
        return Round(**counted)


def load(url: str, connections: int, folder: Path, *, uses_wrk: bool) -> Load:
    """Return the load generator of this machine; its script goes into `folder`."""
    wrk = shutil.which("wrk") if uses_wrk else None
    if wrk is not None:
        script = folder / _SCRIPT
        script.write_text(_LUA)
        return Load(
            name="wrk",
            command=(wrk, "--threads=1", f"--script={script}", url),
            connections=connections,
        )
    return Load(
        name="the bench's own load generator",
        command=(sys.executable, "-m", "fhir_service.bench.generator", url),
        connections=connections,
    )


def _arguments(
    load: Load, seconds: float, lines: Path, headers: Path, skip: int
) -> Sequence[str]:
    scripted = [str(lines), str(headers), str(skip)]
    if load.name == "wrk":
        return [
            *load.command,
            f"--connections={load.connections}",
            f"--timeout={_GRACE_S}s",
            f"--duration={max(1, round(seconds))}s",
            "--",
            *scripted,
        ]
    return [*load.command, str(load.connections), str(seconds), *scripted]


_LUA = """\
-- What wrk asks: the lines of a file in turn, with the headers of another.
-- Arguments: file of requests, file of headers, requests to pass over at first.

local requests, at, numbered = {}, 0, false

function init(arguments)
  local headers = {}
  for line in io.lines(arguments[2]) do
    local name, value = line:match("^([^:]+): (.*)$")
    headers[name] = value
  end
  for line in io.lines(arguments[1]) do
    local path, body = line:match("^(%S+) (.+)$")
    numbered = numbered or body ~= nil
    requests[#requests + 1] =
      wrk.format(body and "POST" or "GET", path or line, headers, body)
  end
  at = tonumber(arguments[3])
end

function request()
  local asked = requests[at % #requests + 1]
  if numbered then
    asked = asked:gsub("NUMBER", string.format("%09d", at))
  end
  at = at + 1
  return asked
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"answers": %d, "seconds": %f, "body_bytes": %d, ' ..
    '"errors": %d, "p50_ms": %f, "p99_ms": %f}',
    summary.requests, summary.duration / 1e6, summary.bytes,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
""".replace("NUMBER", NUMBER)
