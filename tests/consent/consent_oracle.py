"""The published algorithm once more, written plainly over raw JSON.

It shares no evaluating code with `consent`: only the reading of times and the tables
of codes. `faults` names mistakes to seed, so that a test can show that it notices.
"""

# ruff: noqa: C901, FBT003, PLR0911, PLR0913, PLR0917 - the page's steps stay together

import re

from consent.codes import LEVELS, PURPOSES, SENSITIVITIES
from consent.moments import bounds

T = "http://terminology.hl7.org/CodeSystem/"
REASON = T + "v3-ActReason"
CONFIDENTIALITY = T + "v3-Confidentiality"
ACT_CODE = T + "v3-ActCode"
ALIASES = {
    "http://terminology.hl7.org/ValueSet/v3-InformationSensitivityPolicy": ACT_CODE,
    "http://terminology.hl7.org/ValueSet/v3-Confidentiality": CONFIDENTIALITY,
}
LISTS = ("actor", "action", "securityLabel", "purpose", "class", "code", "data")
DATA = ("securityLabel", "class", "code", "dataPeriod", "data")
LOCAL = re.compile(r"([A-Z]\w+/[A-Za-z0-9.\-]{1,64})(/_history/[A-Za-z0-9.\-]+)?")

FAULTS = (
    "any action",
    "any purpose",
    "bare denies flip",
    "broader label escapes",
    "certainty",
    "components ignored",
    "consent of anybody",
    "deny inherits",
    "deny reads principal code",
    "device not closed",
    "display-only deny ignored",
    "exception unbound",
    "exclusive end",
    "first vote wins",
    "future consent counts",
    "inverted default",
    "lint ignored",
    "missing purpose matches",
    "newest wins",
    "parity of denies",
    "permit beats deny",
    "persons skipped",
    "purpose tree ignored",
    "related is literal",
    "sensitivity any",
    "start only",
    "undated deny ignored",
    "unlabelled is normal",
    "unattested break-glass dropped",
)


class Oracle:
    """Decides like the page; `world` gives bases, zone, device parents, resources."""

    def __init__(self, world, faults=()):
        self.world = world
        self.faults = frozenset(faults)
        assert self.faults <= set(FAULTS)

    # Steps 0 to 6.

    def permits(self, consents, request, resource, default):
        patient = self.patient(resource)
        if patient is None or not request.actions:
            return False
        purposes = list(request.purposes)
        if "unattested break-glass dropped" in self.faults and not request.btg_attested:
            purposes = [q for q in purposes if not self.is_btg(q)]
        grid = [
            [
                self.pair(consents, request, resource, default, patient, q, a)
                for a in request.actions
            ]
            for q in purposes or [None]
        ]
        over_actions = any if "any action" in self.faults else all
        over_purposes = any if "any purpose" in self.faults else all
        return over_purposes(over_actions(row) for row in grid)

    def pair(self, consents, request, resource, default, patient, q, a):
        if q is not None and self.is_btg(q) and not request.btg_attested:
            return False
        ballots = []
        for consent in consents:
            certain = self.selected(consent, request, patient, q)
            if certain is False:
                continue
            if self.lints(consent) and "lint ignored" not in self.faults:
                ballots.append("deny")
                continue
            evaluation = Evaluation(self, request, resource, q, a)
            root = consent.get("provision", {})
            kind = self.root_kind(consent)
            try:
                ballots.append(evaluation.eval(root, kind, {}, None, certain))
            except (AttributeError, TypeError, KeyError):
                assert "lint ignored" in self.faults
        return self.combine([b for b in ballots if b != "silent"], default, q, resource)

    def combine(self, ballots, default, q, resource):
        if ballots and "first vote wins" in self.faults:
            return ballots[0] == "permit"
        if ballots and "newest wins" in self.faults:
            return ballots[-1] == "permit"
        if "permit beats deny" in self.faults and "permit" in ballots:
            return True
        if "parity of denies" in self.faults and ballots.count("deny") % 2 == 0:
            return "deny" in ballots or self.default(default, q, resource, ballots)
        if "deny" in ballots:
            return False
        return self.default(default, q, resource, ballots)

    def default(self, default, q, resource, ballots):
        if "permit" in ballots:
            return True
        if "inverted default" in self.faults and default in ("deny", "permit"):
            return default == "deny"
        level, sensitivities, labelled = self.labels(resource)
        normal = labelled and not sensitivities and level <= LEVELS["N"]
        return {
            "deny": False,
            "permit": True,
            "basic-normal": q is not None
            and self.is_a(q, (REASON, "TREAT"))
            and normal,
            "all-normal": q is not None and normal,
            "break-glass-only": q is not None and self.is_btg(q),
        }[default]

    def selected(self, consent, request, patient, q):
        """Return False, or whether the consent certainly speaks for the purpose."""
        if consent.get("status") != "active":
            return False
        if "consent of anybody" not in self.faults and (
            self.local(self.get(consent, "patient", "reference")) != patient
        ):
            return False
        written = bounds(consent.get("dateTime"), self.world.zone)
        is_future = written and written[0] > request.at_us
        if is_future and "future consent counts" not in self.faults:
            return False
        period = self.get(consent, "provision", "period")
        limits = self.window(period)
        if limits and not limits[0] <= request.at_us <= limits[1]:
            return False
        scopes = self.scopes(consent)
        if scopes in ({"adr"}, {"treatment"}):
            return False
        if scopes == {"research"}:
            if q is None:
                return None
            if self.is_a(q, (REASON, "HRESCH")):
                return True
            if self.is_a((REASON, "HRESCH"), q):
                return None
            return None if q[0] == REASON and q[1] not in PURPOSES else False
        return True

    def scopes(self, consent):
        return {
            c.get("code")
            for c in self.get(consent, "scope", "coding") or []
            if c.get("system") == T + "consentscope"
        } & {"patient-privacy", "research", "adr", "treatment"}

    # Small words.

    @staticmethod
    def get(node, *names):
        for name in names:
            node = node.get(name) if isinstance(node, dict) else None
        return node

    def local(self, text):
        if not isinstance(text, str):
            return None
        for base in self.world.own_bases:
            if text.startswith(base + "/"):
                text = text[len(base) + 1 :]
        match = LOCAL.fullmatch(text)
        return match.group(1) if match else None

    def foreign(self, text):
        return (
            isinstance(text, str)
            and text.startswith(("http://", "https://"))
            and not any(text.startswith(b + "/") for b in self.world.own_bases)
        )

    def is_a(self, q, p):
        return q == p or (
            q[0] == p[0] == REASON
            and q[1] in PURPOSES.get(p[1], ())
            and "purpose tree ignored" not in self.faults
        )

    @staticmethod
    def is_btg(q):
        return q == (REASON, "BTG")

    def window(self, period):
        """Return inclusive limits; None where the period is absent or broken."""
        if not isinstance(period, dict) or not {"start", "end"} & set(period):
            return None
        low, high = -(10**20), 10**20
        if "start" in period:
            start = bounds(period["start"], self.world.zone)
            if start is None:
                return None
            low = start[0]
        if "end" in period:
            end = bounds(period["end"], self.world.zone)
            if end is None:
                return None
            high = end[0] if "exclusive end" in self.faults else end[1]
        return None if low > high else (low, high)

    def patient(self, resource):
        if resource["resourceType"] == "Patient":
            return f"Patient/{resource['id']}"
        element = "subject" if "subject" in resource else "patient"
        found = self.local(self.get(resource, element, "reference"))
        return found if found and found.startswith("Patient/") else None

    def labels(self, resource):
        level, sensitivities = None, set()
        for coding in self.get(resource, "meta", "security") or []:
            system = ALIASES.get(coding.get("system"), coding.get("system"))
            code = coding.get("code")
            if system == CONFIDENTIALITY and code in LEVELS:
                level = max(LEVELS[code], level if level is not None else 0)
            if system == ACT_CODE and code in SENSITIVITIES:
                sensitivities.add(code)
        if sensitivities:
            level = max(level or 0, LEVELS["R"])
        labelled = level is not None
        if not labelled and "unlabelled is normal" in self.faults:
            level, labelled = LEVELS["N"], True
        return level, sensitivities, labelled

    def interval(self, resource):
        for name in (
            "effectiveDateTime",
            "effectivePeriod",
            "effectiveInstant",
            "effectiveTiming",
            "issued",
        ):
            if name in resource:
                value = resource[name]
                if name == "effectiveTiming":
                    return None
                if name == "effectivePeriod":
                    if not {"start", "end"} <= set(value):
                        return None
                    return self.window(value)
                return bounds(value, self.world.zone)
        return None

    # Lint.

    def root_kind(self, consent):
        root = consent.get("provision", {})
        if "type" in root:
            return root["type"]
        codings = self.get(consent, "policyRule", "coding") or []
        if {c.get("code") for c in codings} & {"OPTOUT", "OPTOUTE"}:
            return "deny"
        codes = {c.get("code") for c in codings if c.get("system") == ACT_CODE}
        return "permit" if codes & {"OPTIN", "OPTINR"} else None

    def lints(self, consent):
        root = consent.get("provision", {})
        codings = self.get(consent, "policyRule", "coding") or []
        codes = {c.get("code") for c in codings}
        opt_in, opt_out = codes & {"OPTIN", "OPTINR"}, codes & {"OPTOUT", "OPTOUTE"}
        return bool(
            not isinstance(root, dict)
            or len(self.scopes(consent)) != 1
            or (
                "dateTime" in consent
                and not bounds(consent["dateTime"], self.world.zone)
            )
            or (opt_in and opt_out)
            or (root.get("type") == "permit" and opt_out)
            or (root.get("type") == "deny" and opt_in)
            or self.modified(consent)
            or self.count(root) > 200
            or self.lints_node(root, self.root_kind(consent), 0, nested=False)
        )

    def modified(self, node):
        if isinstance(node, dict):
            return (
                "modifierExtension" in node
                or "implicitRules" in node
                or any(self.modified(v) for v in node.values())
            )
        return isinstance(node, list) and any(self.modified(v) for v in node)

    def count(self, node):
        children = node.get("provision", [])
        if not isinstance(children, list):
            return 1
        return 1 + sum(self.count(c) for c in children if isinstance(c, dict))

    def lints_node(self, node, kind, depth, *, nested):
        if depth > 3:
            return True
        if (nested or "type" in node) and node.get("type") not in ("permit", "deny"):
            return True
        for name in ("period", "dataPeriod"):
            if name in node and self.real_window(node[name]) is None:
                return True
        for name in (*LISTS, "provision"):
            if name in node and not (
                isinstance(node[name], list)
                and node[name]
                and all(isinstance(e, dict) for e in node[name])
            ):
                return True
        known = {"id", "extension", "type", "period", "dataPeriod", "provision", *LISTS}
        if any(k not in known and not k.startswith("_") for k in node):
            return True
        if kind != "deny":
            for name in ("actor", "data"):
                for entry in node.get(name, []):
                    if self.foreign(self.get(entry, "reference", "reference")):
                        return True
        return any(
            self.lints_node(child, child.get("type"), depth + 1, nested=True)
            for child in node.get("provision", [])
        )

    def real_window(self, period):
        faults, self.faults = self.faults, frozenset()
        try:
            return self.window(period)
        finally:
            self.faults = faults


class Evaluation:
    """EVAL for one resource, one purpose, one action."""

    def __init__(self, oracle, request, resource, q, a):
        self.oracle, self.request, self.resource = oracle, request, resource
        self.q, self.a = q, a
        self.faults = oracle.faults

    def eval(self, n, kind, inherited, up, outer):
        rq = and3(
            [
                outer,
                self.in_force(n),
                self.element(n, "actor", self.actor, kind),
                self.element(n, "purpose", self.purpose, kind),
                self.element(n, "action", self.action, kind),
            ]
        )
        if rq is False:
            return "silent"
        own = {e: n[e] for e in DATA if e in n}
        if kind == "deny":
            eff = {**inherited, **own} if "deny inherits" in self.faults else own
            down = inherited
        else:
            eff = down = {**inherited, **own}
        dm = and3(self.data_element(e, v, kind) for e, v in eff.items())
        certain = rq is True and (up is None or up["certain"])
        if "certainty" in self.faults:
            certain = rq is True
        here = {"certain": certain, "kind": kind, "dm": dm}
        ballots = [
            self.eval(child, child.get("type"), down, here, True)
            for child in n.get("provision", [])
        ]
        if "bare denies flip" in self.faults and kind == "deny" and "deny" in ballots:
            return "permit"
        if "deny" in ballots:
            return "deny"
        if "permit" in ballots:
            return "permit"
        if kind == "deny" and dm is not False:
            return "deny"
        if kind == "permit" and certain and dm is True:
            bound = up is not None and up["kind"] == "deny" and up["dm"] is not True
            if not bound or "exception unbound" in self.faults:
                return "permit"
        return "silent"

    def in_force(self, n):
        limits = self.oracle.window(n.get("period"))
        return limits is None or limits[0] <= self.request.at_us <= limits[1]

    def element(self, n, name, match, kind):
        return or3(match(e, kind) for e in n[name]) if name in n else True

    def actor(self, entry, kind):
        oracle = self.oracle
        reference = entry.get("reference")
        local = oracle.local(oracle.get(reference, "reference"))
        system = oracle.get(reference, "identifier", "system")
        value = oracle.get(reference, "identifier", "value")
        names = {local} - {None}
        if system and value and system == system.strip() and value == value.strip():
            names.add(f"{system}|{value}")
        is_person = local is None or local.split("/")[0] not in (
            "Organization",
            "Group",
            "Device",
        )
        lonely = is_person and not self.request.individual_known and kind == "deny"
        if lonely and "persons skipped" in self.faults:
            return False
        if not names:
            ignored = "display-only deny ignored" in self.faults and kind == "deny"
            return False if ignored else None
        if names & self.request.actors:
            return True
        return None if lonely else False

    def purpose(self, entry, kind):
        p, q = (entry.get("system"), entry.get("code")), self.q
        if q is None:
            return True if "missing purpose matches" in self.faults else None
        if not p[0] or not p[1]:
            return None
        if self.oracle.is_a(q, p) or (kind == "deny" and self.oracle.is_a(p, q)):
            return True
        strange = q[1] not in PURPOSES or p[1] not in PURPOSES
        return None if p[0] == q[0] == REASON and strange else False

    def action(self, entry, _):
        known = {
            c["code"]
            for c in entry.get("coding", [])
            if c.get("system") == T + "consentaction"
            and c.get("code") in ("collect", "access", "use", "disclose", "correct")
        }
        return self.a in known if known else None

    def data_element(self, name, value, kind):
        if name == "securityLabel":
            return self.labels(value, kind)
        if name == "dataPeriod":
            return self.data_period(value, kind)
        if name == "code":
            return self.code(value, kind)
        match = {"class": self.class_, "data": self.data}[name]
        return or3(match(entry, kind) for entry in value)

    def labels(self, entries, kind):
        level, mine, labelled = self.oracle.labels(self.resource)
        levels, listed, unknown = [], set(), False
        for entry in entries:
            system = ALIASES.get(entry.get("system"), entry.get("system"))
            code = entry.get("code")
            if system == CONFIDENTIALITY and code in LEVELS:
                levels.append(LEVELS[code])
            elif system == ACT_CODE and code in SENSITIVITIES and code[0] != "_":
                listed.add(code)
            else:
                unknown = True
        if not labelled:
            return None
        if kind == "deny":
            touches = any(
                m in SENSITIVITIES[x]
                or (
                    x in SENSITIVITIES[m] and "broader label escapes" not in self.faults
                )
                for m in mine
                for x in listed
            )
            if (levels and level >= min(levels)) or touches:
                return True
            return None if unknown else False
        covered = [any(m in SENSITIVITIES[x] for x in listed) for m in mine]
        enough = any if "sensitivity any" in self.faults else all
        if levels and level > max(levels):
            return False
        if listed and not (covered and enough(covered)):
            return False
        return None if unknown else True

    def data_period(self, value, kind):
        low, high = self.oracle.window(value) or (-(10**20), 10**20)
        interval = self.oracle.interval(self.resource)
        if interval is None:
            return False if kind == "deny" and self.undated_ignored() else None
        start, end = interval
        if "start only" in self.faults:
            end = start
        if kind == "deny":
            return start <= high and end >= low
        return low <= start and end <= high

    def undated_ignored(self):
        return "undated deny ignored" in self.faults

    def class_(self, entry, _):
        system, code = entry.get("system"), entry.get("code")
        if system == "http://hl7.org/fhir/resource-types" and code:
            return code == self.resource["resourceType"]
        if system == "urn:ietf:rfc:3986" and code:
            profiles = self.oracle.get(self.resource, "meta", "profile") or []
            return code in profiles or code in [p.split("|")[0] for p in profiles]
        return None

    def code(self, entries, kind):
        listed = set().union(*map(pairs, entries))
        unknown = not all(map(pairs, entries))
        principal = pairs(self.resource.get("code"))
        parts = [pairs(c.get("code")) for c in self.resource.get("component", [])]
        vague = not principal and (
            "code" in self.resource or self.resource["resourceType"] == "Observation"
        )
        if kind == "deny":
            anywhere = set(
                everywhere({k: v for k, v in self.resource.items() if k != "meta"})
            )
            if "deny reads principal code" in self.faults:
                anywhere, parts = principal, []
            if listed & anywhere:
                return True
            return None if vague or unknown or not all(parts) else False
        matching = [bool(listed & part) for part in parts]
        enough = any if "components ignored" in self.faults else all
        if listed & principal or (parts and enough(matching)):
            return True
        return None if vague or unknown else False

    def data(self, entry, kind):
        oracle, row = self.oracle, self.resource
        x = oracle.local(oracle.get(entry, "reference", "reference"))
        meaning = entry.get("meaning")
        me = f"{row['resourceType']}/{row['id']}"
        if x is None:
            return None
        mine = {oracle.local(t) for t in references(row)}
        type_ = x.split("/")[0]
        if meaning == "instance":
            return x == me
        if meaning == "related":
            theirs = {
                oracle.local(t)
                for r in oracle.world.resources
                if f"{r['resourceType']}/{r['id']}" == x
                for t in references(r)
            }
            if x == me or me in theirs:
                return True
            recorded = type_ in ("Encounter", "EpisodeOfCare", "CarePlan")
            if "related is literal" in self.faults:
                recorded = False
            return x in mine and (kind == "deny" or recorded)
        if meaning == "dependents":
            if type_ not in ("Device", "DeviceMetric"):
                return x == me or x in mine
            if x == me or x in self.closure(self.device()):
                return True
            return kind == "deny" and any(x in self.closure(m) for m in mine if m)
        if meaning == "authoredby":
            return x in self.performers() or x in self.closure(self.device())
        return None

    def device(self):
        if self.resource["resourceType"] != "Observation":
            return None
        return self.oracle.local(self.oracle.get(self.resource, "device", "reference"))

    def closure(self, device):
        found = set()
        while device is not None and device not in found:
            found.add(device)
            if "device not closed" in self.faults:
                break
            device = self.oracle.world.device_parents.get(device)
        return found

    def performers(self):
        found = set()
        for name in ("performer", "author"):
            value = self.resource.get(name)
            for entry in value if isinstance(value, list) else [value]:
                for node in (entry, self.oracle.get(entry, "actor")):
                    found.add(self.oracle.local(self.oracle.get(node, "reference")))
        return found - {None}


def and3(values):
    values = list(values)
    if any(v is False for v in values):
        return False
    return None if any(v is None for v in values) else True


def or3(values):
    values = list(values)
    if any(v is True for v in values):
        return True
    return None if any(v is None for v in values) else False


def pairs(concept):
    codings = Oracle.get(concept, "coding") or []
    return {
        (c["system"], c["code"]) for c in codings if c.get("system") and c.get("code")
    }


def everywhere(node):
    """Yield every coding below; a Quantity is none."""
    if isinstance(node, dict):
        if {"system", "code"} <= set(node) and not {"value", "unit"} & set(node):
            yield node["system"], node["code"]
        for value in node.values():
            yield from everywhere(value)
    elif isinstance(node, list):
        for value in node:
            yield from everywhere(value)


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)
