"""Entries: every field comes back, nothing acts, and little room is taken."""

from dataclasses import fields, replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.audit.entry import (
    INTERACTION_CODE,
    MAX_REQUEST,
    OUTCOME_CODE,
    AuditRecord,
    Basis,
    BasisKind,
    Interaction,
    Outcome,
    decode,
    encode,
    neutralise,
)
from consent.audit.versions import EntryError
from consent.audit.words import WORDS, expand, shorten

RECORD = AuditRecord(
    time_us=1_795_861_800_123_456,
    interaction=Interaction.SEARCH,
    outcome=Outcome.ALLOWED,
    status=200,
    request_id="76d148b6-586d-11ec-bf63-0242ac130002",
    request="GET /fhir/Observation?patient=0h3k2m9qx7e4t&code=8867-4&_count=50",
    resource_type="Observation",
    user="practitioner-7",
    client="example-ehr",
    organisation="0h3k2m9qx7e4t",
    address="203.0.113.17",
    user_agent="Example EHR/4.2",
    token=bytes(range(16)),
    purposes=("TREAT", "ETREAT"),
    patients=(bytes(16), bytes(range(16))),
    disclosed=tuple(range(1_000_000, 1_001_000, 20)),
    written=(7,),
    counts=(("received", 12), ("stored", 10), ("duplicate", 2)),
    basis=(
        Basis(BasisKind.CONSENT, "0h3k2m9qx7e4t/_history/2", "provision.provision[0]"),
        Basis(BasisKind.SCOPE, "system/Observation.rs"),
        Basis(BasisKind.OVERLAY, "custodian"),
    ),
    reason="scope",
)


def seal(request: bytes) -> bytes:
    return bytes(byte ^ 0x5A for byte in request)


def coded(record: AuditRecord) -> AuditRecord:
    return decode(encode(record, seal=seal), unseal=seal)


def test_every_field_comes_back():
    unset = {
        field.name
        for field in fields(AuditRecord)
        if getattr(RECORD, field.name) == field.default
    }

    assert not unset
    assert coded(RECORD) == RECORD


def test_an_entry_has_the_same_bytes_each_time():
    assert encode(RECORD, seal=seal) == encode(replace(RECORD), seal=seal)


def test_the_least_that_can_be_said_is_thirteen_bytes():
    record = AuditRecord(
        time_us=1, interaction=Interaction.START, outcome=Outcome.ALLOWED
    )

    assert len(encode(record, seal=seal)) == 13
    assert coded(record) == record


@pytest.mark.parametrize("interaction", Interaction)
def test_every_interaction_comes_back(interaction):
    assert coded(replace(RECORD, interaction=interaction)).interaction is interaction


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_comes_back(outcome):
    assert coded(replace(RECORD, outcome=outcome)).outcome is outcome


@pytest.mark.parametrize("kind", BasisKind)
def test_every_basis_comes_back(kind):
    basis = (Basis(kind, "name", "a.b"), Basis(kind, "name"))

    assert coded(replace(RECORD, basis=basis)).basis == basis


def test_stored_numbers_never_change():
    assert list(INTERACTION_CODE.values()) == list(range(34))
    assert INTERACTION_CODE[Interaction.READ] == 0
    assert INTERACTION_CODE[Interaction.INGEST] == 12
    assert INTERACTION_CODE[Interaction.TOKEN] == 18
    assert INTERACTION_CODE[Interaction.UNKNOWN] == 33
    assert list(OUTCOME_CODE) == ["allowed", "denied", "error"]


def test_the_request_is_only_in_the_sealed_field():
    entry = encode(replace(RECORD, request="GET /fhir/Patient?name=Miller"), seal=seal)

    assert b"Miller" not in entry
    assert seal(b"name=Miller") in entry


def test_a_request_whose_key_is_gone_is_none():
    record = decode(encode(RECORD, seal=seal), unseal=lambda _: None)

    assert record == replace(RECORD, request=None)


@pytest.mark.parametrize(
    "request_id", ["", "a-1", "76D148B6-586D-11EC-BF63-0242AC130002", "-" * 36]
)
def test_a_request_id_keeps_the_form_that_the_client_gave_it(request_id):
    assert coded(replace(RECORD, request_id=request_id)).request_id == request_id


@pytest.mark.parametrize(
    "request_id",
    [
        "4ef729e034c13ac5",
        "4ef729e034c13ac5-6b",
        "4ef729e034c13ac5-0",
        f"4ef729e034c13ac5-{'f' * 15}",
        f"4ef729e034c13ac5-{'f' * 16}",
        f"4ef729e034c13ac5-{'f' * 47}",
        "4ef729e034c13ac5\u0661",
        "4ef729e034c13ac5-06b",
        "4ef729e034c13ac5-6B",
        "4ef729e034c13ac5- 6b",
        "4ef729e034c13ac5-6_b",
        "4ef729e034c13ac5--6b",
        "4ef729e034c13ac5-",
        "4EF729E034C13AC5",
        "4ef729e034c13ac5f",
        "-6b",
    ],
)
def test_an_identifier_of_our_own_keeps_its_form(request_id):
    assert coded(replace(RECORD, request_id=request_id)).request_id == request_id


@pytest.mark.parametrize(
    "address", ["203.0.113.17", "203.0.113.017", "2001:db8::1", "::ffff:1.2.3.4", "1.2"]
)
def test_an_address_keeps_its_form(address):
    assert coded(replace(RECORD, address=address)).address == address


@given(st.from_regex(r"[0-9a-f]{14,18}(-[0-9a-fA-F_ ]{0,60})?", fullmatch=True))
def test_no_identifier_that_a_client_chooses_keeps_a_row_from_being_written(request_id):
    stored = coded(replace(RECORD, request_id=request_id)).request_id

    assert stored == neutralise(request_id, 64)


DIGEST = Basis(BasisKind.INPUTS, "00" * 8 + "ff" * 8)
GROUND = Basis(BasisKind.CONSENT, "a/_history/1", "provision")


@pytest.mark.parametrize(
    "basis",
    [
        (DIGEST,),
        (GROUND, DIGEST),
        (GROUND, DIGEST, DIGEST),
        (DIGEST, GROUND),
        (DIGEST, GROUND, DIGEST),
        (Basis(BasisKind.INPUTS, "FF" * 16),),
        (Basis(BasisKind.INPUTS, "00" * 15),),
        (Basis(BasisKind.INPUTS, "00" * 16, "path"),),
    ],
)
def test_grounds_keep_their_order_and_form(basis):
    assert coded(replace(RECORD, basis=basis)).basis == basis


@pytest.mark.parametrize("word", WORDS.values())
@pytest.mark.parametrize("attribute", ["user", "request", "user_agent", "reason"])
def test_a_word_that_is_shortened_comes_back(attribute, word):
    text = f"a{word}{word}b"

    assert getattr(coded(replace(RECORD, **{attribute: text})), attribute) == text


@given(st.text(max_size=60).filter(str.isprintable))
def test_what_is_shortened_is_expanded(text):
    assert expand(shorten(text)) == text


def test_stored_words_never_change():
    assert list(WORDS)[:6] == list("\x01\x02\x03\x04\x05\x06")
    assert not {"\x00", "\x1e", "\x1f"} & WORDS.keys()
    known = "|".join(list(WORDS.values())[:28])
    assert sha256(known.encode()).hexdigest()[:16] == "fd90af77b5fcc6e8"


OLD = bytes.fromhex(
    "0100066153a8a97c40030000c8010b4f62736572766174696f6e020e70726163746974696f6e"
    "65722d37030b6578616d706c652d656872040d3068336b326d39717837653474050c3230332e"
    "302e3131332e3137060f4578616d706c65204548522f342e32070573636f7065091076d148b6"
    "586d11ecbf630242ac1300020a411d1f0e7a753c323328751538293f282c3b2e333534652a3b"
    "2e333f342e676a3269316837632b226d3f6e2e7c39353e3f6762626c6d776e7c0539352f342e"
    "676f6a0b10000102030405060708090a0b0c0d0e0f0c0c5452454154004554524541540d2000"
    "000000000000000000000000000000000102030405060708090a0b0c0d0e0f0e3502c0843d14"
    "1414141414141414141414141414141414141414141414141414141414141414141414141414"
    "141414141414141414140f020207102172656365697665640031320073746f72656400313000"
    "6475706c69636174650032112e63003068336b326d39717837653474063200012e015b305d1e"
    "730004022e7273001e6f00637573746f6469616e00"
)
"""An entry as version 1 wrote it."""


def test_an_entry_of_the_first_version_is_read():
    assert decode(OLD, unseal=seal) == RECORD


def test_who_asks_is_said_in_few_bytes():
    record = AuditRecord(
        time_us=1,
        interaction=Interaction.READ,
        outcome=Outcome.ALLOWED,
        request_id="4ef729e034c13ac5-6b",
        resource_type="Observation",
        user="Practitioner/p1",
        organisation="Organization/o1",
        address="203.0.113.17",
        purposes=("TREAT",),
        basis=(DIGEST,),
    )

    assert len(encode(record, seal=seal)) <= 13 + 12 + 3 + 5 + 5 + 7 + 3 + 19


TEXTS = (
    "resource_type",
    "user",
    "client",
    "organisation",
    "address",
    "user_agent",
    "reason",
    "request_id",
    "request",
)

ATTACKS = [
    "a\r\n2026-11-28 allowed admin",
    "\x1b[2J\x1b]0;title\x07",
    "\u202eevil\u2066",
    "a\u2028b\u2029c\x85",
    "a\x00b\x1ec",
    "\ud800",
    "\ufeff\u200b\u00ad",
    "\x7f\x9b31m",
]


@pytest.mark.parametrize("attribute", TEXTS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_a_client_writes_acts(attribute, attack):
    stored = getattr(coded(replace(RECORD, **{attribute: attack})), attribute)

    assert stored.isprintable()
    assert stored == neutralise(attack, 1000)


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_acts_in_a_list(attack):
    record = coded(
        replace(
            RECORD,
            purposes=(attack, "TREAT"),
            counts=((attack, 3),),
            basis=(Basis(BasisKind.SCOPE, attack, attack),),
        )
    )

    tamed = neutralise(attack, 1000)
    assert record.purposes == (tamed, "TREAT")
    assert record.counts == ((tamed, 3),)
    assert record.basis == (Basis(BasisKind.SCOPE, tamed, tamed),)


def test_what_cannot_be_printed_is_named():
    assert neutralise("a\r\n\x1b[31m\u202eb", 100) == (
        "a⟨U+000D⟩⟨U+000A⟩⟨U+001B⟩[31m⟨U+202E⟩b"
    )


def test_what_can_be_printed_stays():
    assert neutralise("Zoë 🩺 日本 \\x41", 100) == "Zoë 🩺 日本 \\x41"


@pytest.mark.parametrize("attribute", [name for name in TEXTS if name != "request"])
def test_a_megabyte_is_cut_and_says_so(attribute):
    entry = encode(replace(RECORD, **{attribute: "x" * 1_048_576}), seal=seal)

    stored = getattr(decode(entry, unseal=seal), attribute)
    assert len(entry) < 1024
    assert stored.endswith("x⟨cut, 1048576 characters⟩")


def test_a_long_request_keeps_its_beginning():
    stored = coded(replace(RECORD, request="GET /" + "?" * 1_000_000)).request

    assert stored is not None
    assert stored.startswith("GET /???")
    assert len(stored) < MAX_REQUEST + 40
    assert stored.endswith("⟨cut, 1000005 characters⟩")


@given(st.text(max_size=60), st.integers(1, 80))
def test_a_neutralised_text_is_printable_and_bounded(text, limit):
    tamed = neutralise(text, limit)

    assert tamed.isprintable()
    assert len(tamed) <= limit * 10 + 30


def test_a_pseudonym_of_another_length_is_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        encode(replace(RECORD, patients=(b"short",)), seal=seal)


ENTRY = encode(RECORD, seal=seal)


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"\x00" + ENTRY[1:],
        b"\x03" + ENTRY[1:],
        ENTRY[:13] + b"\x05\x04\x00abc",
        ENTRY[:13] + b"\x08\x03\x00ab",
        ENTRY[:13] + b"\x08\x0b\x00abcdefgh\x01\x01",
        ENTRY[:13] + b"\x11\x02\x1fa",
        ENTRY[:12],
        ENTRY[:-1],
        ENTRY + b"\x01\x01a",
        ENTRY + b"\x7f\x00",
        ENTRY[:9] + b"\xff" + ENTRY[10:],
        ENTRY[:10] + b"\xff" + ENTRY[11:],
        ENTRY[:13] + b"\x0d\x05short",
        ENTRY[:13] + b"\x10\x03a\x00b",
        ENTRY[:13] + b"\x10\x01a",
        ENTRY[:13] + b"\x11\x01c",
        ENTRY[:13] + b"\x11\x05z\x00n\x00p",
        ENTRY[:13] + b"\x02\x01\xff",
        ENTRY[:13] + b"\x09\x01a",
    ],
)
def test_bytes_that_are_no_entry_are_refused(entry):
    with pytest.raises(EntryError):
        decode(entry, unseal=seal)


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_entry_or_refused(data):
    for entry in (data, ENTRY[:13] + data):
        try:
            decode(entry, unseal=seal)
        except EntryError:
            continue
