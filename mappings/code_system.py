"""Our own CodeSystem: the concepts for which no standard code exists.

Each concept was looked for in LOINC 2.83 and in the IEEE 11073 nomenclature first.

https://hl7.org/fhir/R4/codesystem.html
"""

from types import MappingProxyType
from typing import Any, NamedTuple

URL = "https://fhir-interop-service.org/fhir/CodeSystem/measurement"
VERSION = "1"


class Concept(NamedTuple):
    """What a code of ours means."""

    display: str
    definition: str


_KINDS = {
    "walking-heart-rate": Concept(
        "Walking heart rate average",
        "Mean heart rate while walking at a steady pace, as the device selects the"
        " walking periods of a day.",
    ),
    "heart-rate-recovery": Concept(
        "Heart rate recovery in one minute",
        "Fall of the heart rate in the first minute after exercise.",
    ),
    "hrv-rmssd": Concept(
        "Heart rate variability RMSSD",
        "Root mean square of successive differences of normal beat-to-beat intervals."
        " Not comparable with SDNN.",
    ),
    "rr-interval": Concept("R-R interval", "Time between two successive heartbeats."),
    "respiratory-rate-minimum": Concept(
        "Respiratory rate minimum", "Lowest respiratory rate of the effective period."
    ),
    "respiratory-rate-mean": Concept(
        "Respiratory rate mean", "Mean respiratory rate of the effective period."
    ),
    "respiratory-rate-maximum": Concept(
        "Respiratory rate maximum", "Highest respiratory rate of the effective period."
    ),
    "oxygen-saturation-minimum": Concept(
        "Oxygen saturation minimum",
        "Lowest oxygen saturation by pulse oximetry in the effective period.",
    ),
    "oxygen-saturation-maximum": Concept(
        "Oxygen saturation maximum",
        "Highest oxygen saturation by pulse oximetry in the effective period.",
    ),
    "wrist-temperature": Concept(
        "Wrist skin temperature",
        "Skin temperature at the wrist; not a body temperature.",
    ),
    "skin-temperature-deviation": Concept(
        "Skin temperature deviation from baseline",
        "Difference between the skin temperature of a night and the wearer's own"
        " baseline, as the device computes it.",
    ),
    "waist-circumference": Concept("Waist circumference", "Girth of the waist."),
    "basal-energy": Concept(
        "Basal energy burned",
        "Energy that the device estimates for rest alone, without activity.",
    ),
    "total-energy": Concept(
        "Total energy burned",
        "Energy that the device estimates for rest and activity together.",
    ),
    "sedentary-duration": Concept(
        "Sedentary duration", "Time that the device classed as sedentary."
    ),
    "standing-duration": Concept(
        "Standing duration",
        "Time that the device classed as standing in an interval shorter or longer"
        " than one day.",
    ),
    "walking-speed": Concept(
        "Walking speed", "Speed on level ground in one walking period."
    ),
    "walking-step-length": Concept(
        "Walking step length", "Distance from one foot to the other in a step."
    ),
    "walking-asymmetry": Concept(
        "Walking asymmetry",
        "Share of steps in which one foot moves faster or slower than the other.",
    ),
    "walking-double-support": Concept(
        "Walking double support time",
        "Share of walking time during which both feet are on the ground.",
    ),
    "six-minute-walk-distance": Concept(
        "Estimated six-minute walk distance",
        "Distance that the device estimates the wearer could walk in six minutes; not"
        " a performed test.",
    ),
    "falls": Concept("Number of falls", "Falls that the device detected."),
    "sleep-session": Concept(
        "Sleep session",
        "One period from going to bed to rising, with totals and stages as components.",
    ),
    "unspecified-sleep-duration": Concept(
        "Unspecified sleep duration", "Time asleep in a stage that is not known."
    ),
    "latency-to-arising": Concept(
        "Latency to arising", "Time from the final awakening to leaving the bed."
    ),
    "sleep-efficiency": Concept(
        "Sleep efficiency",
        "Share of a sleep session spent asleep; the definition differs between"
        " devices and is said in the method where it is known.",
    ),
    "main-sleep": Concept(
        "Main sleep", "Whether the session is the main sleep of its day."
    ),
    "sleep-stage": Concept(
        "Sleep stage",
        "Stage from the time offset of its component until that of the next one, the"
        " last until the end of the session.",
    ),
    "mindful-duration": Concept(
        "Mindful duration", "Length of a mindfulness or meditation session."
    ),
    "time-in-daylight": Concept(
        "Time in daylight", "Time that the device classed as spent in daylight."
    ),
    "sound-exposure": Concept(
        "Environmental sound exposure",
        "Sound pressure level around the person; the weighting is in the method.",
    ),
    "headphone-sound-exposure": Concept(
        "Headphone sound exposure",
        "Sound pressure level from headphones; the weighting is in the method.",
    ),
    "body-posture": Concept("Body posture", "Posture of the body."),
    "relative-humidity": Concept(
        "Relative humidity of the room", "Relative humidity of the air of a room."
    ),
    "noise-level": Concept(
        "Noise level of the room",
        "Sound pressure level in a room; the weighting is in the method.",
    ),
    "illuminance": Concept("Illuminance", "Luminous flux on a surface of a room."),
    "carbon-dioxide": Concept(
        "Carbon dioxide of the room",
        "Volume fraction of carbon dioxide in the air of a room.",
    ),
    "particulate-matter-2-5": Concept(
        "Particulate matter PM2.5 of the room",
        "Mass concentration of particles up to 2.5 micrometres in the air of a room.",
    ),
    "particulate-matter-10": Concept(
        "Particulate matter PM10 of the room",
        "Mass concentration of particles up to 10 micrometres in the air of a room.",
    ),
    "volatile-organic-compounds": Concept(
        "Volatile organic compounds of the room, volume fraction",
        "Volume fraction of volatile organic compounds in the air of a room; not an"
        " air-quality index.",
    ),
    "volatile-organic-compounds-mass": Concept(
        "Volatile organic compounds of the room, mass concentration",
        "Mass concentration of volatile organic compounds in the air of a room; not"
        " an air-quality index.",
    ),
    "occupancy": Concept(
        "Occupancy by motion",
        "Whether a motion sensor saw movement; unoccupied follows a timeout.",
    ),
    "presence": Concept(
        "Presence in the room", "Whether a presence sensor detects a person."
    ),
    "contact": Concept(
        "Door or window contact", "Whether the door or window is open or closed."
    ),
    "battery-voltage": Concept(
        "Battery voltage of the device", "Voltage of the device's battery."
    ),
    "battery-low": Concept(
        "Battery low", "Whether the device reports that its battery is low."
    ),
    "link-quality": Concept(
        "Link quality of the device",
        "Radio link quality indicator from 0 to 255, without unit; not a signal"
        " strength.",
    ),
    "heart-rate-series": Concept(
        "Heart rate series",
        "Heart rates at a constant distance in time; not a spot heart rate.",
    ),
    "hrv-rmssd-series": Concept(
        "Heart rate variability RMSSD series",
        "RMSSD of successive intervals at a constant distance in time.",
    ),
    "rr-interval-series": Concept(
        "R-R interval series", "Successive times between heartbeats."
    ),
    "ecg-classification": Concept(
        "Rhythm classification of an electrocardiogram",
        "What the device's own algorithm says of a recording; not a finding.",
    ),
    "ppg-classification": Concept(
        "Rhythm classification of a photoplethysmogram",
        "What the device's own algorithm says of the pulse that light shows; not a"
        " finding.",
    ),
    "vascular-age": Concept(
        "Vascular age", "Age that the maker derives from the stiffness of the vessels."
    ),
    "atrial-fibrillation-burden": Concept(
        "Atrial fibrillation burden",
        "Share of the worn time in which the device saw signs of atrial fibrillation.",
    ),
    "skin-temperature": Concept(
        "Skin temperature", "Temperature of the skin at a site that is not named."
    ),
    "skin-temperature-baseline": Concept(
        "Skin temperature baseline",
        "The wearer's usual skin temperature, from which a deviation is counted.",
    ),
    "extracellular-water-mass": Concept(
        "Extracellular water mass", "Mass of the body's water outside its cells."
    ),
    "intracellular-water-mass": Concept(
        "Intracellular water mass", "Mass of the body's water inside its cells."
    ),
    "visceral-fat-index": Concept(
        "Visceral fat index", "The maker's own index of visceral fat."
    ),
    "basal-metabolic-rate": Concept(
        "Basal metabolic rate",
        "Energy a day that the device estimates for rest alone.",
    ),
    "electrodermal-activity": Concept(
        "Electrodermal activity", "Electrical conductance of the skin."
    ),
    "distance-cycling": Concept("Distance cycled", "Distance by bicycle."),
    "distance-swimming": Concept("Distance swum", "Distance by swimming."),
    "speed": Concept("Speed", "Speed of the person, by whatever means."),
    "power": Concept("Power", "Mechanical power of an exercise."),
    "wheelchair-pushes": Concept("Wheelchair pushes", "Pushes of a wheelchair."),
    "activity-duration": Concept(
        "Activity duration",
        "Time that the device classed as active, of any intensity.",
    ),
    "metabolic-equivalent-minutes": Concept(
        "MET-minutes", "Metabolic equivalents times minutes."
    ),
    "metabolic-equivalent": Concept(
        "Metabolic equivalent", "Energy spent, as a multiple of that at rest."
    ),
    "restless-periods": Concept(
        "Restless periods", "How often a sleeper was restless."
    ),
    "restless-duration": Concept(
        "Restless duration", "Time of a sleep session that was restless."
    ),
    "breathing-disturbance-index": Concept(
        "Breathing disturbance index",
        "Breathing disturbances an hour of sleep, as the device counts them.",
    ),
    "sleep-cycles": Concept(
        "Sleep cycles", "Number of sleep cycles, as the device counts them."
    ),
    "sleep-movement": Concept(
        "Movement during sleep", "Movement in the maker's own measure, without unit."
    ),
    "whoop-sleep-consistency": Concept(
        "WHOOP sleep consistency",
        "WHOOP's own score of how regular the times of sleep are, 0 to 100.",
    ),
    "nap": Concept("Nap", "Whether the session is a nap."),
    "oura-sleep-score": Concept("Oura sleep score", "Oura's own score, 0 to 100."),
    "withings-sleep-score": Concept(
        "Withings sleep score", "Withings's own score, 0 to 100."
    ),
    "fitbit-sleep-score": Concept(
        "Fitbit sleep score", "Fitbit's own score, 0 to 100."
    ),
    "garmin-sleep-score": Concept(
        "Garmin sleep score", "Garmin's own score, 0 to 100."
    ),
    "whoop-sleep-performance": Concept(
        "Whoop sleep performance", "Whoop's own score, 0 to 100."
    ),
    "garmin-stress-level": Concept(
        "Garmin stress level",
        "Garmin's own score, 0 to 100, from heart rate variability.",
    ),
    "garmin-body-battery": Concept(
        "Garmin body battery",
        "Garmin's own score of the wearer's energy, 0 to 100; not a device's battery.",
    ),
    "hrv-rmssd-maximum": Concept(
        "Heart rate variability RMSSD maximum",
        "Highest RMSSD of the five-minute intervals of the effective period.",
    ),
    "garmin-stress-level-mean": Concept(
        "Garmin stress level mean", "Mean of the stress levels of the effective period."
    ),
    "garmin-stress-level-maximum": Concept(
        "Garmin stress level maximum",
        "Highest of the stress levels of the effective period.",
    ),
    "garmin-body-battery-minimum": Concept(
        "Garmin Body Battery minimum",
        "Lowest Body Battery score of the effective period.",
    ),
    "garmin-body-battery-maximum": Concept(
        "Garmin Body Battery maximum",
        "Highest Body Battery score of the effective period.",
    ),
    "garmin-body-battery-charged": Concept(
        "Garmin Body Battery charged",
        "Points that the Body Battery score gained in the effective period.",
    ),
    "garmin-body-battery-drained": Concept(
        "Garmin Body Battery drained",
        "Points that the Body Battery score lost in the effective period.",
    ),
    "garmin-fitness-age": Concept(
        "Garmin fitness age",
        "Age of which the estimated maximal oxygen uptake would be typical; Garmin's"
        " own estimate.",
    ),
    "garmin-training-readiness": Concept(
        "Garmin training readiness", "Garmin's own score, 0 to 100."
    ),
    "oura-readiness-score": Concept(
        "Oura readiness score", "Oura's own score, 0 to 100."
    ),
    "oura-activity-score": Concept(
        "Oura activity score", "Oura's own score, 0 to 100."
    ),
    "whoop-recovery-score": Concept(
        "Whoop recovery score", "Whoop's own score, 0 to 100."
    ),
    "whoop-strain": Concept("Whoop strain", "Whoop's own score, 0 to 21."),
    "stress-low-duration": Concept(
        "Duration of low stress", "Time that the device classed as of low stress."
    ),
    "stress-medium-duration": Concept(
        "Duration of medium stress",
        "Time that the device classed as of medium stress.",
    ),
    "stress-high-duration": Concept(
        "Duration of high stress", "Time that the device classed as of high stress."
    ),
    "rest-duration": Concept(
        "Duration of rest", "Time that the device classed as rest while awake."
    ),
    "rest-and-sleep-duration": Concept(
        "Duration of rest and sleep",
        "Time that the device classed as rest, sleep included.",
    ),
    "mood-valence": Concept(
        "Mood valence",
        "How pleasant a state of mind is, as the person says, from -1 to 1.",
    ),
    "screen-time": Concept("Screen time", "Time that a screen was used."),
    "screen-unlocks": Concept("Screen unlocks", "How often a screen was unlocked."),
    "noise-level-series": Concept(
        "Noise level series", "Noise levels of a room at a constant distance in time."
    ),
    "volatile-organic-compounds-index": Concept(
        "Volatile organic compounds index of the room",
        "The maker's own index of volatile organic compounds; not a concentration.",
    ),
    "air-quality-index": Concept(
        "Air quality index of the room", "The maker's own index of the air of a room."
    ),
    "bed-presence": Concept(
        "Bed presence", "Whether a sensor under a bed or chair detects a person."
    ),
    "signal-strength": Concept(
        "Signal strength of the device", "Power of the radio signal received."
    ),
    "device-wear-duration": Concept(
        "Wear time of the device", "Time that the device was worn."
    ),
    "device-worn": Concept("Device worn", "Whether the device is worn at the body."),
    "battery-charging": Concept(
        "Battery charging", "Whether the device's battery is being charged."
    ),
    "device-clock-offset": Concept(
        "Clock offset of the device",
        "How far the device's clock is ahead of the gateway's; negative behind it.",
    ),
    "device-available": Concept(
        "Device available", "Whether the gateway can reach the device."
    ),
    "device-temperature": Concept(
        "Temperature of the device", "Temperature inside the device itself."
    ),
}

_VALUES = {
    "sleep-stage-in-bed": Concept("In bed", "In bed, asleep or awake."),
    "sleep-stage-out-of-bed": Concept(
        "Out of bed", "Out of bed during a sleep session."
    ),
    "sleep-stage-awake": Concept("Awake", "Awake during a sleep session."),
    "sleep-stage-asleep": Concept(
        "Asleep, stage not specified", "Asleep in a stage that the source leaves open."
    ),
    "sleep-stage-nrem": Concept("Non-REM sleep", "Asleep in a stage other than REM."),
    "sleep-stage-light": Concept(
        "Light sleep", "Light or core sleep as the device classes it."
    ),
    "sleep-stage-deep": Concept("Deep sleep", "Deep sleep as the device classes it."),
    "sleep-stage-rem": Concept("REM sleep", "REM sleep as the device classes it."),
    "sleep-stage-unknown": Concept(
        "Sleep stage unknown", "The source recorded no stage for this time."
    ),
    "occupancy-occupied": Concept("Occupied", "Somebody was detected."),
    "occupancy-unoccupied": Concept("Unoccupied", "Nobody is detected."),
    "contact-open": Concept("Open", "The door or window is open."),
    "contact-closed": Concept("Closed", "The door or window is closed."),
    "posture-sitting": Concept("Sitting", "Seated."),
    "posture-standing": Concept("Standing", "Upright on the feet."),
    "posture-lying-down": Concept("Lying down", "Lying."),
    "posture-semi-recumbent": Concept("Semi-recumbent", "Half lying, half sitting."),
}

WORKOUTS = (
    "american-football",
    "archery",
    "australian-football",
    "badminton",
    "barre",
    "baseball",
    "basketball",
    "bowling",
    "boxing",
    "cardio-dance",
    "climbing",
    "cooldown",
    "core-training",
    "cricket",
    "cross-country-skiing",
    "cross-training",
    "curling",
    "cycling",
    "dance",
    "dance-inspired-training",
    "disc-sports",
    "downhill-skiing",
    "elliptical",
    "equestrian-sports",
    "fencing",
    "fishing",
    "fitness-gaming",
    "flexibility",
    "functional-strength-training",
    "golf",
    "gymnastics",
    "hand-cycling",
    "handball",
    "high-intensity-interval-training",
    "hiking",
    "hockey",
    "hunting",
    "jump-rope",
    "kickboxing",
    "lacrosse",
    "martial-arts",
    "mind-and-body",
    "mixed-cardio",
    "mixed-metabolic-cardio-training",
    "other",
    "paddle-sports",
    "pickleball",
    "pilates",
    "play",
    "preparation-and-recovery",
    "racquetball",
    "rowing",
    "rugby",
    "running",
    "sailing",
    "skating-sports",
    "snow-sports",
    "snowboarding",
    "soccer",
    "social-dance",
    "softball",
    "squash",
    "stair-climbing",
    "stairs",
    "step-training",
    "surfing-sports",
    "swim-bike-run",
    "swimming",
    "table-tennis",
    "tai-chi",
    "tennis",
    "track-and-field",
    "traditional-strength-training",
    "transition",
    "underwater-diving",
    "volleyball",
    "walking",
    "water-fitness",
    "water-polo",
    "water-sports",
    "wheelchair-run-pace",
    "wheelchair-walk-pace",
    "wrestling",
    "yoga",
)
"""Kinds of workout that sources name."""

ECG_CLASSIFICATIONS = (
    "sinus-rhythm",
    "no-atrial-fibrillation",
    "atrial-fibrillation",
    "high-heart-rate",
    "low-heart-rate",
    "inconclusive",
    "poor-recording",
    "unrecognized",
    "not-set",
)
"""What sources say of an electrocardiogram."""

PPG_CLASSIFICATIONS = (
    "no-atrial-fibrillation",
    "atrial-fibrillation",
    "high-heart-rate",
    "low-heart-rate",
    "inconclusive",
    "poor-recording",
    "unrecognized",
)
"""What sources say of the pulse as light shows it."""

FLAGS = MappingProxyType(
    {
        "zone-disputed": Concept(
            "Time zone disputed",
            "The source gives an offset and a time zone that disagree, or none that"
            " can be trusted; the instant is right, the local day may not be.",
        ),
        "totals-disputed": Concept(
            "Totals disputed",
            "The source's totals and its own parts disagree; the totals are kept.",
        ),
        "relayed": Concept(
            "Relayed",
            "The source has it from another service and may count it a second time.",
        ),
        "stale": Concept(
            "Stale",
            "The source repeats a value that was taken before the time it gives.",
        ),
        "recorded-later": Concept(
            "Recorded later",
            "The source says when it recorded the value, and not when it was taken,"
            " which was before.",
        ),
    }
)
"""What a source's data says against itself; tags of the Observation."""


def _workout(name: str) -> Concept:
    words = name.replace("-", " ")
    return Concept(words.capitalize(), f"A workout that its source classes as {words}.")


def _rhythm(recording: str, name: str) -> Concept:
    words = name.replace("-", " ")
    return Concept(
        f"{recording}: {words}", f"The device classed the recording as {words}."
    )


CONCEPTS = MappingProxyType(
    _KINDS
    | _VALUES
    | FLAGS
    | {f"workout-{name}": _workout(name) for name in WORKOUTS}
    | {f"ecg-{one}": _rhythm("Electrocardiogram", one) for one in ECG_CLASSIFICATIONS}
    | {f"ppg-{one}": _rhythm("Photoplethysmogram", one) for one in PPG_CLASSIFICATIONS}
)
"""Every code of ours: kinds, values of coded kinds, flags."""


def code_system_resource() -> dict[str, Any]:
    """Return the CodeSystem that publishes our codes."""
    return {
        "resourceType": "CodeSystem",
        "id": "measurement",
        "url": URL,
        "version": VERSION,
        "name": "Measurement",
        "title": "Measurements of wearable devices and home sensors",
        "status": "active",
        "experimental": False,
        "description": (
            "Concepts of device measurements for which neither LOINC nor the"
            " IEEE 11073 nomenclature has a code."
        ),
        "caseSensitive": True,
        "content": "complete",
        "count": len(CONCEPTS),
        "concept": [
            {"code": code, "display": display, "definition": definition}
            for code, (display, definition) in CONCEPTS.items()
        ],
    }
