"""Holds a told consent against its provisions, with phrases written down by hand.

It reads the consent by itself, so that what the tables or the code forget is missed.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from consent_worlds import BASE, NPI, T

HEADINGS = {
    (None, "permit"): "What you allow",
    (None, "deny"): "What you do not allow",
    (None, "none"): "Your rules",
    ("permit", "permit"): "This is allowed as well:",
    ("permit", "deny"): "Except for this, which is kept out:",
    ("deny", "permit"): "Except for this, which is allowed:",
    ("deny", "deny"): "This is kept out as well:",
    ("none", "permit"): "This is allowed:",
    ("none", "deny"): "This is kept out:",
}

KINDS = ("permit", "deny", "none")

QUESTIONS = {
    "action": ("What may be done?", "What may not be done?", "For what kind of act?"),
    "actor": ("Who may do it?", "Who may not do it?", "For whom?"),
    "purpose": ("Why?", "For which reasons not?", "For what reason?"),
    "period": ("From when, and until when?",) * 3,
    "code": ("Which kinds of data?",) * 3,
    "class": ("Which types of record?",) * 3,
    "dataPeriod": ("Data from which time?",) * 3,
    "data": ("Which records?",) * 3,
}
"""Element → its question in a permit, in a deny, in a root without type."""

LABEL_QUESTIONS = ("How private?", "On which private topics?", "With which other")

DATA = ("securityLabel", "code", "class", "dataPeriod", "data")
REQUEST = ("action", "actor", "purpose", "period")

WORDS = {
    "8867-4": "heart rate",
    "55423-8": "steps",
    "44261-6": "low mood score (PHQ-9)",
    "85353-1": "|85353-1”",
    "TREAT": "to treat you",
    "ETREAT": "to treat you in an emergency",
    "BTG": "to break the seal on your data when your life is at risk",
    "HRESCH": "health research",
    "BIORCH": "research on how the body and illness work",
    "HPAYMT": "to pay for your care",
    "PurposeOfUse": "any use at all",
    "collect": "take in data from your devices",
    "access": "look at your data",
    "use": "use your data",
    "disclose": "pass your data on to others",
    "MH": "mental health",
    "PSY": "care by a mind doctor (psychiatry)",
    "ETHUD": "alcohol problems",
    "ETH": "drug, alcohol or drink problems",
    "SUD": "drug, drink or other use problems",
    "BH": "mental health, habits and drug use",
    "HIV": "HIV or AIDS",
    "L": "data that is not very private",
    "N": "normal health data",
    "R": "very private data",
    "V": "the most private data",
    "Observation": "things that were measured or seen",
    "Device": "your devices",
}
"""The phrase of each code that the random consents use."""

MOMENTS = {
    "2022-05-31T23:59:59.999999Z": (
        "31 May 2022, 23:59:59.999999",
        "31 May 2022, 19:59:59.999999",
    ),
    "2022-06-01T00:00:00Z": ("1 June 2022, 00:00", "31 May 2022, 20:00"),
    "2026-03-10T08:00:00+02:00": ("10 March 2026, 06:00", "10 March 2026, 02:00"),
    "2026-03-29T02:30:00+01:00": ("29 March 2026, 01:30", "28 March 2026, 21:30"),
}
"""Each moment of the random consents in UTC and in New York."""

DAYS = {
    "0001-01-01": "1 January 1",
    "2019": "2019",
    "2022-05": "May 2022",
    "2022-05-31": "31 May 2022",
    "2022-06-01": "1 June 2022",
    "2026-03-10": "10 March 2026",
    "9999-12-31": "31 December 9999",
}

_OPENS_NOTHING = "We do not know what this means, so it opens nothing."
UNKNOWN = {
    "permit": _OPENS_NOTHING,
    "none": _OPENS_NOTHING,
    "deny": "We do not know what this means, so it may keep out more.",
}


def walk(block):
    yield block
    for item in block.items:
        yield from walk(item)


def kind_of_root(consent):
    """Return the root's kind: its type, else that of policyRule."""
    if "type" in consent["provision"]:
        return consent["provision"]["type"]
    codings = consent.get("policyRule", {}).get("coding", [])
    if any(each["code"] == "OPTOUT" for each in codings):
        return "deny"
    opt_in = {"system": T + "v3-ActCode", "code": "OPTIN"}
    return "permit" if opt_in in codings else "none"


def told_bounds(period, zone):
    column = 1 if zone == ZoneInfo("America/New_York") else 0
    for bound, day, moment in (
        ("start", "from the start of", "from"),
        ("end", "until the end of", "until"),
    ):
        value = period.get(bound)
        if value in DAYS:
            yield f"{day} {DAYS[value]}"
        elif value is not None:
            yield f"{moment} {MOMENTS[value][column]}"


def coding_words(coding):
    """Return the phrase of a coding; without a system, or of another, it is quoted."""
    if "local" in coding.get("system", "local"):
        return f"{coding['code']}”"
    return WORDS.get(coding["code"], coding["code"])


def is_unclear(coding):
    return "system" not in coding or coding["code"] == "treat"


def purpose_words(entry, kind):
    return f"{coding_words(entry)}{' + ' + UNKNOWN[kind] if is_unclear(entry) else ''}"


def actor_words(entry, kind):
    reference = entry["reference"]
    if reference == {"identifier": NPI}:
        return f"who is known as “{NPI['system']}|123”"
    named = reference.get("reference", " ").removeprefix(BASE + "/")
    is_ours = named[0] != "#" and " " not in named and "//" not in named
    return f"“{named}”" if is_ours else UNKNOWN[kind]


def concept_words(entry, kind):
    if "coding" not in entry:
        return f"“{entry['text']}”. {UNKNOWN[kind]}"
    words = list(map(coding_words, entry["coding"]))
    if all(map(is_unclear, entry["coding"])):
        words.append(UNKNOWN[kind])
    return " + ".join(words)


def datum_words(entry, kind):
    named = entry["reference"].get("reference", "//").removeprefix(BASE + "/")
    if "//" in named or entry["meaning"] == "else":
        return UNKNOWN[kind]
    return f"“{named.partition('/_history')[0]}”"


ENTRY_WORDS = {
    "actor": actor_words,
    "action": concept_words,
    "code": concept_words,
    "data": datum_words,
    "purpose": purpose_words,
    "class": lambda entry, _: coding_words(entry),
}


@dataclass(frozen=True)
class Reader:
    """What is asked of every provision of one consent."""

    zone: object
    patient: str

    def read(self, block, node, kind, *, above=None, inherited=None):
        """Assert that the block tells the provision, and all that is nested in it."""
        assert block.text == HEADINGS[above, kind]
        data = {name: node[name] for name in DATA if name in node}
        if kind != "deny":
            data = {**(inherited or {}), **data}
        nested = node.get("provision", [])
        own = block.items[: len(block.items) - len(nested)]
        self._read_own(own, node, data, kind)
        for child, told in zip(nested, block.items[len(own) :], strict=True):
            below = inherited if kind == "deny" else data
            self.read(told, child, child["type"], above=kind, inherited=below)

    def _read_own(self, own, node, data, kind):
        blocks = [each for item in own for each in walk(item)]
        request = {name: node[name] for name in REQUEST if name in node}
        for name, value in {**data, **request}.items():
            if name == "securityLabel":
                self._read_labels(blocks, value)
            else:
                self._read_element(blocks, name, value, kind)
        for name in ("code", "class", "dataPeriod", "data"):
            is_asked = any(each.text.startswith(QUESTIONS[name][0]) for each in blocks)
            assert is_asked == (name in data)

    def _read_element(self, blocks, name, value, kind):
        question = QUESTIONS[name][KINDS.index(kind)]
        [answers] = [each.items for each in blocks if each.text.startswith(question)]
        found = [each.text for each in answers]
        if name in {"period", "dataPeriod"}:
            assert found == list(told_bounds(value, self.zone))
            return
        for entry in value:
            for words in ENTRY_WORDS[name](entry, kind).split(" + "):
                shown = words.replace(f"“{self.patient}”", "the record of who you are")
                assert any(shown in each for each in found), (shown, found)

    def _read_labels(self, blocks, labels):
        found = [
            item.text
            for each in blocks
            if each.text.startswith(LABEL_QUESTIONS)
            for item in each.items
        ]
        for label in labels:
            assert any(coding_words(label) in each for each in found), (label, found)
