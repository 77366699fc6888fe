import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number, dumps
from conformance.issues import FHIRError
from mappings.kinds import kinds
from mappings.measurement import (
    Component,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.sleep_as_android import archive, record
from mappings.vendors.sleep_as_android.parse import parse, parse_file

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = 1767225600000000
SAMPLES = (
    Path(__file__).parents[3].parent
    / "shared"
    / "data"
    / "payloads"
    / "sleep-as-android"
)
STORED = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")
TEST = "recording of less than five minutes"
HEADER = "Id,Tz,From,To,Sched,Hours,Rating,Comment,Framerate,Snore,Noise,Cycles,"
HEADER += "DeepSleep,LenAdjust,Geo"
ID = 1729983600000


def row(  # noqa: PLR0913 - columns of a row
    *cells: str,
    id_: object = ID,
    hours: str = "8.000",
    snore: str = "-1",
    deep: str = "-1.0",
    adjusted: str = "0",
    zone: str = "Europe/Berlin",
) -> str:
    columns = (
        str(id_),
        zone,
        "27. 10. 2024 1:00",
        "27. 10. 2024 8:00",
        "",
        hours,
        "0.0",
        "private #stress",
        "10007",
        snore,
        "-1.0",
        "-1",
        deep,
        adjusted,
        "geo",
        *cells,
    )
    header = HEADER + "".join(f',"{index}:00"' for index, _ in enumerate(cells))
    return f"{header}\n" + ",".join(f'"{cell}"' for cell in columns) + "\n"


def read(text: str, zone: str | None = None) -> list[object]:
    return list(parse_file(BytesIO(text.encode()), received_at=NOW, zone=zone))


def one(text: str, zone: str | None = None) -> object:
    [reading] = read(text, zone)
    return reading


def told(reading: object) -> str:
    if isinstance(reading, Measurement):
        return reading.kind
    return reading.what if isinstance(reading, OutOfScope) else str(reading.reason)


OTHERS = ["settings of the app", "alarms"]
NAP = ["sleep-session", *["illuminance"] * 18]
OLDER = [TEST, TEST, "sleep-session", TEST, TEST, TEST, "sleep-session"]


@STORED
def test_every_stored_export_is_accounted_for_and_can_be_stored():
    found = {
        path.name: list(parse_file(path, received_at=NOW)) for path in SAMPLES.iterdir()
    }

    assert {name: [told(r) for r in group] for name, group in found.items()} == {
        "sleep-export.1.zip": [TEST, "sleep-session", *OTHERS],
        "sleep-export.3.zip": [*OLDER, *OTHERS],
        "sleep-export.4.zip": [TEST, *OLDER, *OTHERS],
        "sleep-export.1606736472.zip": [*NAP, TEST, *OLDER, *OTHERS],
        "sleep-export.1606738409.zip": [TEST, *NAP, TEST, *OLDER, *OTHERS],
    }
    assert all(
        isinstance(normalise(r, now_us=NOW_US), Normalised)
        for group in found.values()
        for r in group
        if isinstance(r, Measurement)
    )


@STORED
def test_the_stored_entry_by_hand_is_eleven_hours():
    _, night, *_ = parse_file(SAMPLES / "sleep-export.1.zip", received_at=NOW)

    assert night == Measurement(
        kind="sleep-session",
        value=None,
        unit="",
        start="2020-11-26T20:00:00+00:00",
        start_us=1606420800000000,
        end="2020-11-27T07:00:00+00:00",
        end_us=1606460400000000,
        position="Line[4]",
        source_id="1606420800000",
        components=(Component("sleep-duration", Number("11.000"), "h"),),
        self_reported=True,
        zone="Europe/London",
    )


@STORED
def test_no_comment_of_a_stored_export_reaches_a_reading():
    found = [
        reading
        for path in SAMPLES.iterdir()
        for reading in parse_file(path, received_at=NOW)
    ]

    assert not [
        word for word in ("alcohol", "fullmoon", "Manually") if word in repr(found)
    ]


def test_the_end_is_the_start_and_the_hours_also_when_the_clocks_change():
    night = one(row())

    assert (night.start, night.end) == (
        "2024-10-27T01:00:00+02:00",
        "2024-10-27T08:00:00+01:00",
    )


def test_totals_are_hours_and_their_fraction_and_seconds():
    night = one(row("0.1", "0.2", deep="0.25", snore="120"))

    assert night.components == (
        Component("sleep-duration", Number("8.000"), "h"),
        Component("deep-sleep-duration", Number("2.00000"), "h"),
        Component("snoring-duration", 120, "s"),
    )
    assert (night.self_reported, night.method) == (False, "movement of the phone")


@pytest.mark.parametrize("sentinel", ["-1", "-1.0", "-2.0"])
def test_a_sentinel_is_no_value(sentinel):
    night = one(row(deep=sentinel, snore=sentinel))

    assert night.components == (Component("sleep-duration", Number("8.000"), "h"),)


@pytest.mark.parametrize(
    ("adjusted", "is_entered", "flags"),
    [("-1.0", True, ()), ("-1", False, ("totals-disputed",)), ("0", False, ())],
)
def test_minus_one_with_a_point_is_an_entry_by_hand(adjusted, is_entered, flags):
    night = one(row("0.1", "0.2", adjusted=adjusted))

    assert (night.self_reported, night.flags) == (is_entered, flags)


def test_events_are_stages_and_values_wherever_they_stand():
    night, light, heart = read(
        row(
            f"LIGHT_START-{ID}",
            "0.5",
            f"LIGHT_END-{ID + 3600000}",
            f"DEEP_START-{ID + 3600000}",
            f"LUX-{ID + 60000}-7.0",
            f"HR-{ID + 60000}-55.0",
            f"DHA-{ID}-5.877E-42",
            f"TRACKING_STOPPED_BY_USER-{ID}",
        )
    )

    assert night.components[1:] == (
        Component("sleep-stage", "light", offset_ms=0),
        Component("sleep-stage", "deep", offset_ms=3600000),
    )
    assert (light.kind, str(light.value), light.unit, light.start, light.source_id) == (
        "illuminance",
        "7.0",
        "lx",
        "2024-10-27T01:01:00+02:00",
        f"{ID}#{ID + 60000}",
    )
    assert (heart.kind, str(heart.value), heart.unit) == ("heart-rate", "55.0", "/min")


def test_an_unknown_event_with_a_value_is_refused_alone():
    night, refused = read(row(f"NOVEL-{ID}-7.0"))

    assert night.kind == "sleep-session"
    assert refused.reason is Reason.UNKNOWN_KIND
    [again] = parse(refused.payload, received_at=NOW)
    assert again.reason is Reason.UNKNOWN_KIND


def test_a_noise_line_has_no_unit():
    text = row("0.1") + '"","","","","","","","","","","","","","","","0.4"\n'

    assert read(text)[1] == OutOfScope("Line[3]", "noise levels without a unit")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (row(id_="soon"), Reason.NO_TIME),
        (row(id_=1729983600), Reason.MALFORMED),
        (row(hours="long"), Reason.INVALID_VALUE),
        (row(hours="-3"), Reason.INVALID_VALUE),
        (row(deep="much"), Reason.INVALID_VALUE),
        ('"1606420800000","Europe/London"\n', Reason.MALFORMED),
    ],
)
def test_a_broken_record_is_refused_and_the_next_is_kept(text, reason):
    found = read(text + row("0.1"))

    assert [told(r) for r in found] == [str(reason), "sleep-session"]
    assert "private" not in repr(found)


def test_a_record_without_a_known_zone_is_of_the_named_one_or_of_none():
    text = row(zone="Nowhere/Land")

    assert one(text).start == "2024-10-26T23:00:00.000Z"
    assert one(text, "Europe/Paris").start == "2024-10-27T01:00:00+02:00"


def zipped(name: str, data: bytes) -> BytesIO:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, data)
    buffer.seek(0)
    return buffer


def test_a_path_within_the_zip_is_no_path_here():
    payload = zipped("../../sleep-export.csv", row("0.1").encode())

    [night] = parse_file(payload, received_at=NOW)

    assert night.kind == "sleep-session"


def test_a_zip_bomb_is_refused():
    payload = zipped("sleep-export.csv", b"," * (archive.MIN_SUSPICIOUS + 70_000))

    with pytest.raises(FHIRError, match="200 times its size"):
        list(parse_file(payload, received_at=NOW))


@pytest.mark.parametrize(
    "payload",
    [
        zipped("other.csv", b"x"),
        BytesIO(zipped("sleep-export.csv", b"x" * 99).getvalue()[:40]),
    ],
)
def test_a_zip_that_is_no_export_is_refused(payload):
    with pytest.raises(FHIRError, match="zip"):
        list(parse_file(payload, received_at=NOW))


def test_every_name_of_the_tables_exists():
    assert {kind for kind, _ in record.VALUES.values()} <= kinds().keys()
    assert set(record.STAGES.values()) <= kinds()["sleep-stage"].values.keys()


@given(st.text(max_size=300))
def test_any_text_is_accounted_for(text):
    found = read(text)

    assert found


@given(
    st.dictionaries(
        st.sampled_from(["record", "events", "tracked"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.sampled_from([str(ID), "8"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(record.KEPT), inner, max_size=4)
            ),
            max_leaves=8,
        ),
    )
)
def test_any_json_is_accounted_for(payload):
    found = list(parse(payload, received_at=NOW))

    assert found
    assert all(
        dumps(reading.payload) for reading in found if isinstance(reading, Refusal)
    )
