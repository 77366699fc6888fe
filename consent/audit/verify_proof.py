"""Check a proof bundle of the audit log, with Python's standard library alone.

    python verify_proof.py BUNDLE.json [--key VERIFIER-KEY] [--json]

This one file needs nothing else of the service that wrote the log, so that somebody
who does not trust it can read what is checked: that the checkpoint is signed with the
log's key, that each row of the bundle stands in the log which the checkpoint commits
to, that this log continues the earlier checkpoints, and that what the bundle says in
words is what the row says. Ends with 0 where all of it holds, with 1 where anything
does not, with 2 where it was asked wrongly.

The key in the bundle is the bundle's own word. Compare it with the one that the
operator has published, or give that one with `--key`.

https://www.rfc-editor.org/rfc/rfc9162 · https://www.rfc-editor.org/rfc/rfc8032
https://c2sp.org/signed-note · https://c2sp.org/tlog-checkpoint
"""

import base64
import binascii
import hashlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

FORMAT = "fhir-interop-service audit proof 1"
MAX_BUNDLE = 256 * 1024 * 1024
HASH_LENGTH = 32


class Wrong(Exception):  # noqa: N818 - what it says is that the bundle is
    """Something that does not hold, in a sentence."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a row (RFC 9162, section 2.1.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a branch (RFC 9162, section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _steps(path: list[bytes], position: int, last: int) -> Iterator[tuple[bytes, bool]]:
    """Yield each hash on the way to the root, and whether it stands to the left."""
    for hash_ in path:
        if last == 0:
            raise Wrong("a proof is longer than the log is high")
        is_left = bool(position & 1) or position == last
        yield hash_, is_left
        while is_left and position and not position & 1:
            position, last = position >> 1, last >> 1
        position, last = position >> 1, last >> 1
    if last:
        raise Wrong("a proof is shorter than the log is high")


def root_of(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root that a row and its path lead to (section 2.1.3.2)."""
    if not 0 <= index < size:
        raise Wrong(f"a log of {size} rows has no row {index}")
    found = leaf
    for hash_, is_left in _steps(path, index, size - 1):
        found = node_hash(hash_, found) if is_left else node_hash(found, hash_)
    return found


def check_consistency(
    old: tuple[int, bytes], new: tuple[int, bytes], path: list[bytes]
) -> None:
    """Check that the log of `new` begins with that of `old` (section 2.1.4.2)."""
    if old[0] < 1:
        raise Wrong("an empty earlier log proves nothing")
    if old[0] >= new[0]:
        if old != new or path:
            raise Wrong("two checkpoints of one size differ, or the log has shrunk")
        return
    first, *rest = path if old[0] & (old[0] - 1) else [old[1], *path]
    position, last = old[0] - 1, new[0] - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    before = after = first
    for hash_, is_left in _steps(rest, position, last):
        if is_left:
            before, after = node_hash(hash_, before), node_hash(hash_, after)
        else:
            after = node_hash(after, hash_)
    if (before, after) != (old[1], new[1]):
        raise Wrong("the log does not continue the earlier checkpoint")


_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_MINUS_1 = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def _add(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int, point: _Point) -> _Point:
    found: _Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            found = _add(found, point)
        point = _add(point, point)
        factor >>= 1
    return found


def _point(data: bytes) -> _Point:
    """Return the point that 32 bytes stand for (RFC 8032, section 5.1.3)."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        raise Wrong("a key or signature is no point of the curve")
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _SQRT_MINUS_1 % _P
    if (x * x - square) % _P or (x == 0 and sign):
        raise Wrong("a key or signature is no point of the curve")
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature holds (RFC 8032, section 5.1.7)."""
    if len(key) != HASH_LENGTH or len(signature) != 2 * HASH_LENGTH:
        return False
    factor = int.from_bytes(signature[32:], "little")
    if factor >= _ORDER:
        return False
    challenge = hashlib.sha512(signature[:32] + key + message).digest()
    number = int.from_bytes(challenge, "little") % _ORDER
    left = _times(factor, _BASE)
    right = _add(_point(signature[:32]), _times(number, _point(key)))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and (
        left[1] * right[2] - right[1] * left[2]
    ) % _P == 0


def unbase64(text: object) -> bytes:
    """Return the bytes of a base64 text."""
    try:
        return base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        raise Wrong("a text is not base64") from None


def key_of(text: object) -> tuple[str, bytes, bytes]:
    """Return origin, key id and Ed25519 key of a verifier key."""
    origin, _, rest = str(text).strip().partition("+")
    id_, _, encoded = rest.partition("+")
    raw = unbase64(encoded)
    if not origin or len(raw) != 1 + HASH_LENGTH or raw[0] != 1:
        raise Wrong("the verifier key is no Ed25519 key of a log")
    expected = hashlib.sha256(origin.encode() + b"\n" + raw).digest()[:4]
    if expected.hex() != id_:
        raise Wrong("the verifier key contradicts its own identifier")
    return origin, expected, raw[1:]


def head_of(note: object, key: tuple[str, bytes, bytes]) -> tuple[int, bytes, str]:
    """Return size, root and time of a checkpoint that the log's key has signed."""
    text, _, signatures = str(note).rpartition("\n\n")
    text += "\n"
    origin, id_, public = key
    lines = text.split("\n")
    if len(lines) < 4 or lines[0] != origin:  # noqa: PLR2004 - name, size, root, end
        raise Wrong("a checkpoint is of another log, or is none")
    ours = [
        unbase64(line.removeprefix(f"\u2014 {origin} "))
        for line in signatures.strip("\n").split("\n")
        if line.startswith(f"\u2014 {origin} ")
    ]
    if not any(
        one[:4] == id_ and is_signed(public, text.encode(), one[4:]) for one in ours
    ):
        raise Wrong("a checkpoint is not signed with the log's key")
    if not lines[1].isascii() or not lines[1].isdecimal():
        raise Wrong("a checkpoint has no size")
    root = unbase64(lines[2])
    if len(root) != HASH_LENGTH:
        raise Wrong("a checkpoint has no root")
    return int(lines[1]), root, lines[3].removeprefix("time ")


INTERACTIONS = (
    "read",
    "vread",
    "history",
    "search",
    "create",
    "update",
    "patch",
    "delete",
    "batch",
    "transaction",
    "operation",
    "capabilities",
    "ingest",
    "import",
    "export",
    "delivery",
    "login",
    "logout",
    "token",
    "introspect",
    "revoke",
    "register",
    "consent-change",
    "consent-decision",
    "break-glass",
    "config",
    "key-rotation",
    "user-change",
    "audit-read",
    "erasure",
    "retention",
    "start",
    "stop",
    "unknown",
)
OUTCOMES = ("allowed", "denied", "error")
TEXTS = {
    1: "resource_type",
    2: "user",
    3: "client",
    4: "organisation",
    5: "address",
    6: "user_agent",
    7: "reason",
    8: "request_id",
}
PURPOSES, PATIENTS = 12, 13
ADDRESS, REQUEST_ID = 5, 8
PACKED = b"\x00"
WORDS = {
    0x01: "provision",
    0x02: "Observation",
    0x03: "patient/",
    0x04: "system/",
    0x05: "user/",
    0x06: "/_history/",
    0x07: "Organization/",
    0x08: "Practitioner/",
    0x09: "Patient/",
    0x0A: "TREAT",
    0x0B: "GET /fhir/",
    0x0C: "POST /fhir/",
    0x0D: "PUT /fhir/",
    0x0E: "POST /device-data/",
    0x0F: "?patient=",
    0x10: "&patient=",
    0x11: "&_count=",
    0x12: "&code=",
    0x13: "&date=",
    0x14: "&category=",
    0x15: "_lastUpdated",
    0x16: "http%3A%2F%2Floinc.org%7C",
    0x17: "http://loinc.org|",
    0x18: "/_search",
    0x19: "DetectedIssue",
    0x1A: "AuditEvent",
    0x1B: "QuestionnaireResponse",
    0x1C: "token-granted",
}
"""Characters that stand for what rows repeat."""

HEAD_LENGTH, PSEUDONYM_LENGTH, ID_LENGTH = 13, 16, 8
LAYOUTS = (1, 2)


def read_row(leaf: bytes) -> dict[str, Any]:
    """Return what a row says in words; what is sealed or a number of ours is left."""
    if len(leaf) < HEAD_LENGTH or leaf[0] not in LAYOUTS:
        raise Wrong("a row has an unknown layout")
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        microseconds=int.from_bytes(leaf[1:9], "big")
    )
    told: dict[str, Any] = {
        "time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "interaction": _word(INTERACTIONS, leaf[9]),
        "outcome": _word(OUTCOMES, leaf[10]),
        "status": int.from_bytes(leaf[11:13], "big"),
    }
    at = HEAD_LENGTH
    while at < len(leaf):
        tag, length, at = leaf[at], *_length(leaf, at + 1)
        value, at = leaf[at : at + length], at + length
        if len(value) != length:
            raise Wrong("a row is cut off")
        if tag in TEXTS:
            told[TEXTS[tag]] = _text(tag, value)
        elif tag == PURPOSES:
            told["purposes"] = value.decode().translate(WORDS).split("\x00")
        elif tag == PATIENTS:
            told["patients"] = [
                value[one : one + PSEUDONYM_LENGTH].hex()
                for one in range(0, length, PSEUDONYM_LENGTH)
            ]
    return told


def _text(tag: int, value: bytes) -> str:
    """Return a text; an address and an identifier of the service may be packed."""
    if value[:1] != PACKED:
        return value.decode().translate(WORDS)
    if tag == ADDRESS:
        return ".".join(str(byte) for byte in value[1:])
    if tag != REQUEST_ID:
        raise Wrong("a row has an unknown layout")
    digits, number = value[1 : 1 + ID_LENGTH].hex(), value[1 + ID_LENGTH :]
    return f"{digits}-{_length(number, 0)[0]:x}" if number else digits


def _word(words: Any, number: int) -> str:
    return str(words[number]) if number < len(words) else f"number {number}"


def _length(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(data):
        byte, at = data[at], at + 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a number
            return number, at
        shift += 7
    raise Wrong("a row is cut off")


def check(bundle: Any, key: str | None = None) -> dict[str, Any]:
    """Return what a bundle proves.

    Raises:
        Wrong: what of it does not hold.

    """
    if not isinstance(bundle, dict) or bundle.get("format") != FORMAT:
        raise Wrong("this is no proof bundle of a known format")
    if key is not None and key.strip() != str(bundle["verifierKey"]).strip():
        raise Wrong("the bundle is signed with another key than the one given")
    known = key_of(bundle["verifierKey"])
    size, root, time = head_of(bundle["checkpoint"], known)
    earlier = [head_of(one["checkpoint"], known) for one in bundle.get("earlier", ())]
    for head, one in zip(earlier, bundle.get("earlier", ()), strict=True):
        path = [unbase64(hash_) for hash_ in one["consistency"]]
        check_consistency(head[:2], (size, root), path)
    rows = [_checked(row, size, root) for row in bundle["rows"]]
    return {
        "origin": known[0],
        "verifierKey": bundle["verifierKey"],
        "size": size,
        "time": time,
        "earlier": [{"size": one[0], "time": one[2]} for one in earlier],
        "rows": rows,
    }


def _checked(row: Any, size: int, root: bytes) -> dict[str, Any]:
    index, leaf = int(row["index"]), unbase64(row["leaf"])
    path = [unbase64(hash_) for hash_ in row["inclusion"]]
    if root_of(leaf_hash(leaf), index, size, path) != root:
        raise Wrong(f"row {index} does not stand in the log that the checkpoint signs")
    told = read_row(leaf)
    for name, value in row.get("says", {}).items():
        if name in told and told[name] != value:
            raise Wrong(f"row {index} does not say what the bundle says of its {name}")
    return {"index": index, **told}


def main(arguments: list[str]) -> int:
    """Check the bundle that the arguments name; print what it proves."""
    names = [one for one in arguments if not one.startswith("--")]
    key = None
    if "--key" in arguments:
        at = arguments.index("--key") + 1
        if at >= len(arguments):
            return _misused()
        key = arguments[at]
        names.remove(key)
    if len(names) != 1:
        return _misused()
    try:
        with open(names[0], "rb") as file:  # noqa: PTH123 - one plain file
            bundle = json.loads(file.read(MAX_BUNDLE))
        told = check(bundle, key)
    except Wrong as error:
        print(f"NOT proved: {error}.")  # noqa: T201 - a program
        return 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"NOT proved: the bundle cannot be read ({type(error).__name__}).")  # noqa: T201
        return 1
    print(json.dumps(told, indent=2) if "--json" in arguments else _told(told, key))  # noqa: T201
    return 0


def _misused() -> int:
    print("usage: verify_proof.py BUNDLE.json [--key VERIFIER-KEY] [--json]")  # noqa: T201
    return 2


def _told(told: dict[str, Any], key: str | None) -> str:
    lines = [
        (
            f"Proved: {len(told['rows'])} rows stand in the log {told['origin']}, "
            f"which had {told['size']} rows at {told['time']}."
        ),
        *(
            f"It continues what it was at {one['time']}, with {one['size']} rows."
            for one in told["earlier"]
        ),
        *(_line(row) for row in told["rows"]),
    ]
    if key is None:
        lines.append(
            f"The key is the bundle's own word; compare it: {told['verifierKey']}"
        )
    return "\n".join(lines)


def _line(row: dict[str, Any]) -> str:
    words = [
        str(row[name])
        for name in ("interaction", "outcome", "status", "user", "client")
        if row.get(name)
    ]
    return f"  row {row['index']}: {row['time']} {' '.join(words)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
