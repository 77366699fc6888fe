"""What our labeller knows: a row per code, per device type, per resource type.

A code that stands in none of these tables is not vouched for. `CODE_LABELS` raise a
resource wherever the code stands in it, an answer or a component included;
`NORMAL_CODES` say that a reading of that kind tells no more than its number.

https://terminology.hl7.org/ValueSet-v3-InformationSensitivityPolicy.html
"""

from collections.abc import Iterator, Mapping

from consent.codes import ACT_CODE, LOINC, MDC, MEASUREMENT
from consent.formula import Coding
from consent.part_2 import TAG

Row = tuple[str, tuple[str, ...]]
"""Confidentiality and sensitivities."""

PHYSICAL_ACTIVITY = (
    "http://hl7.org/fhir/us/physical-activity/CodeSystem/pa-temporary-codes"
)

_MENTAL_HEALTH: Row = ("R", ("MH",))
_SUICIDE_RISK: Row = ("V", ("MH", "PSYTHPN"))
_ALCOHOL: Row = ("R", ("ETHUD",))
_OPIOIDS: Row = ("R", ("OPIOIDUD",))
_HIV: Row = ("R", ("HIV",))

_LOINC_LABELS: tuple[tuple[str, Row], ...] = (
    # PHQ-9: panel, total, items 1 to 8, difficulty; the ninth asks for self-harm.
    ("44249-1 44261-6 44250-9 44255-8 44259-0 44254-1 44251-7", _MENTAL_HEALTH),
    ("44258-2 44252-5 44253-3 69722-7", _MENTAL_HEALTH),
    ("44260-8", _SUICIDE_RISK),
    # PHQ-2 panel and total, GAD-7 panel and total.
    ("55757-9 55758-7 69737-5 70274-6", _MENTAL_HEALTH),
    # Suicide-risk screening item.
    ("93267-3", _SUICIDE_RISK),
    # AUDIT-C: panel, total, items; history of alcohol use, drinks a day.
    ("72109-2 75626-2 68517-2 68518-0 68519-8 68520-6", _ALCOHOL),
    ("11331-6 74013-4", _ALCOHOL),
    # Opiates in urine.
    ("19295-5", _OPIOIDS),
    # HIV 1 and 2 antibodies.
    ("56888-1", _HIV),
)

CODE_LABELS: Mapping[Coding, Row] = {
    (LOINC, code): row for codes, row in _LOINC_LABELS for code in codes.split()
} | {
    # What a person says of her mood.
    (MEASUREMENT, "mood-valence"): _MENTAL_HEALTH,
}

_NORMAL = (
    # Heart and respiration.
    (LOINC, "8867-4 103222-6 103205-1 101692-2 8883-1 41924-2 8873-2 40443-4"),
    (LOINC, "112429-6 80404-7 76643-6 61006-3 9279-1 59408-5 2708-6 103209-3"),
    (MDC, "147842 149546 149530 8454258 150448 151562 8456164 150456"),
    (MEASUREMENT, "walking-heart-rate heart-rate-recovery hrv-rmssd rr-interval"),
    (MEASUREMENT, "respiratory-rate-minimum respiratory-rate-mean"),
    (MEASUREMENT, "respiratory-rate-maximum oxygen-saturation-minimum"),
    (MEASUREMENT, "oxygen-saturation-maximum"),
    # Temperature, blood pressure, body, glucose.
    (LOINC, "8310-5 85354-9 8480-6 8462-4 8478-0 85353-1"),
    (LOINC, "29463-7 39156-5 8302-2 41982-0 73708-0 91557-9"),
    (LOINC, "2339-0 41653-7 15074-8 99504-3"),
    (MDC, "150364 150020 150021 150022 150023 188736 188752 188740 188748"),
    (MDC, "160184 160212"),
    (MEASUREMENT, "wrist-temperature skin-temperature-deviation waist-circumference"),
    # Activity.
    (LOINC, "55423-8 41950-7 103208-5 112427-0 100304-5 101687-2 41981-2 41979-6"),
    (LOINC, "101688-0 101689-8 101690-6 101691-4 112425-4 94122-9 73985-4 55411-3"),
    (MDC, "8454247 8454244 8454263 8454269 8454267"),
    (MEASUREMENT, "basal-energy total-energy sedentary-duration standing-duration"),
    (MEASUREMENT, "walking-speed walking-step-length walking-asymmetry"),
    (MEASUREMENT, "walking-double-support six-minute-walk-distance falls"),
    (MEASUREMENT, "time-in-daylight body-posture mindful-duration"),
    # Sleep.
    (LOINC, "93832-4 103213-5 93831-6 93830-8 93829-0 93828-2 93827-4 103212-7"),
    (LOINC, "103215-0"),
    (MEASUREMENT, "sleep-session unspecified-sleep-duration latency-to-arising"),
    (MEASUREMENT, "sleep-efficiency main-sleep sleep-stage"),
    # The room.
    (LOINC, "60832-3 76268-2"),
    (MDC, "8519687 8519690"),
    (MEASUREMENT, "sound-exposure headphone-sound-exposure relative-humidity"),
    (MEASUREMENT, "noise-level illuminance carbon-dioxide particulate-matter-2-5"),
    (MEASUREMENT, "particulate-matter-10 volatile-organic-compounds"),
    (MEASUREMENT, "volatile-organic-compounds-mass occupancy presence contact"),
    # The device itself.
    (MDC, "67996"),
    (MEASUREMENT, "battery-voltage battery-low link-quality device-temperature"),
    # What further vendors and rooms report.
    (LOINC, "101693-0 101694-8 101695-5 103207-7 11524-6 77196-4 60830-7"),
    (LOINC, "73964-9 101683-1 101684-9 101685-6 101686-4 93833-2 41905-1"),
    (LOINC, "112426-2 112431-2 112430-4 103210-1 103220-0 103221-8"),
    (LOINC, "103214-3 103216-8"),
    (MEASUREMENT, "heart-rate-series hrv-rmssd-maximum hrv-rmssd-series"),
    (MEASUREMENT, "rr-interval-series ecg-classification ppg-classification"),
    (MEASUREMENT, "vascular-age atrial-fibrillation-burden skin-temperature"),
    (MEASUREMENT, "skin-temperature-baseline extracellular-water-mass"),
    (MEASUREMENT, "intracellular-water-mass visceral-fat-index"),
    (MEASUREMENT, "basal-metabolic-rate electrodermal-activity"),
    (MEASUREMENT, "distance-cycling distance-swimming speed power"),
    (MEASUREMENT, "wheelchair-pushes activity-duration"),
    (MEASUREMENT, "metabolic-equivalent-minutes metabolic-equivalent"),
    (MEASUREMENT, "restless-periods restless-duration"),
    (MEASUREMENT, "breathing-disturbance-index sleep-cycles sleep-movement nap"),
    (MEASUREMENT, "oura-sleep-score withings-sleep-score fitbit-sleep-score"),
    (MEASUREMENT, "garmin-sleep-score whoop-sleep-performance"),
    (MEASUREMENT, "whoop-sleep-consistency garmin-stress-level"),
    (MEASUREMENT, "garmin-stress-level-mean garmin-stress-level-maximum"),
    (MEASUREMENT, "garmin-body-battery garmin-body-battery-minimum"),
    (MEASUREMENT, "garmin-body-battery-maximum garmin-body-battery-charged"),
    (MEASUREMENT, "garmin-body-battery-drained garmin-training-readiness"),
    (MEASUREMENT, "garmin-fitness-age oura-readiness-score oura-activity-score"),
    (MEASUREMENT, "whoop-recovery-score whoop-strain stress-low-duration"),
    (MEASUREMENT, "stress-medium-duration stress-high-duration rest-duration"),
    (MEASUREMENT, "rest-and-sleep-duration screen-time screen-unlocks"),
    (MEASUREMENT, "noise-level-series volatile-organic-compounds-index"),
    (MEASUREMENT, "air-quality-index bed-presence signal-strength"),
    (MEASUREMENT, "device-wear-duration device-worn battery-charging"),
    (MEASUREMENT, "device-clock-offset device-available"),
    (MDC, "131329 8454255 8454246 8519691 67976 531976"),
    (PHYSICAL_ACTIVITY, "DeviceActivePercentage"),
    # Device types: measuring system, specialisations, hub; none reveals a condition.
    (MDC, "65573 528388 528390 528391 528392 528397 528399 528404 528425 528455"),
    (MDC, "531981"),
)


def _codings(rows: tuple[tuple[str, str], ...]) -> Iterator[Coding]:
    for system, codes in rows:
        for code in codes.split():
            yield system, code


NORMAL_CODES: frozenset[Coding] = frozenset(_codings(_NORMAL))

TYPE_LABELS: Mapping[str, Row] = {
    "Patient": ("N", ()),
    "RelatedPerson": ("N", ()),
    # A consent tells what somebody wants hidden, and from whom.
    "Consent": ("R", ()),
}
"""Resource types whose label does not depend on a code."""

NOTICE = "https://fhir-interop-service.org/fhir/CodeSystem/notice"
"""Our codes for statements that go with a resource; the display is the statement."""

POLICY_OBLIGATIONS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    TAG: (
        {
            "system": ACT_CODE,
            "code": "NORDSCLCD",
            "display": "no redisclosure without consent directive",
        },
        {
            "system": NOTICE,
            "code": "part-2",
            # 42 CFR 2.32(a), the short statement.
            "display": "42 CFR part 2 prohibits unauthorized use or disclosure of "
            "these records.",
        },
    ),
}
"""Policy of v3-ActCode in meta.security → what is written beside it, on every door."""
