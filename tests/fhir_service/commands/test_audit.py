import base64
import json
import sqlite3
from contextlib import closing

import pytest

from consent.audit.checkpoint import parse_verifier_key
from consent.audit.verification import verify
from fhir_service import audit_trail
from fhir_service.deployment import opened


@pytest.fixture
def log(filled):
    """Settings of a deployment whose log has a checkpoint in its folder."""
    with opened(filled) as deployment:
        audit_trail.export_checkpoint(deployment.database, deployment.checkpoints)
    return filled


def tamper(settings, *statements):
    path = settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        for statement, *values in statements:
            changed = connection.execute(statement, values)
            assert changed.rowcount != 0, "the test tampered with nothing"
        connection.commit()


def rows(settings):
    path = settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT leaf_index, leaf, leaf_hash FROM audit_entry ORDER BY 1"
        ).fetchall()


@pytest.fixture
def examined(fhir_service):
    def examine(settings, *words):
        result = fhir_service(settings, "audit", "verify", "--json", *words)
        return result.exit_code, json.loads(result.stdout)

    return examine


def test_a_log_that_nobody_touched_is_whole(filled_on_either, fhir_service):
    result = fhir_service(filled_on_either, "audit", "verify")

    assert result.exit_code == 0
    assert result.stdout.startswith("The log is whole: ")


def test_the_report_of_a_whole_log_counts_its_rows(log, examined):
    code, told = examined(log)

    assert code == 0
    assert told["rows"] == told["covered"] == len(rows(log)) > 20
    assert (told["checkpoints"], told["findings"]) == (2, [])


def altered(leaf):
    return leaf[:-1] + bytes([leaf[-1] ^ 1])


def test_one_altered_byte_is_found_and_its_row_named(log, fhir_service):
    _, leaf, _ = rows(log)[7]
    tamper(log, ("UPDATE audit_entry SET leaf=? WHERE leaf_index=7", altered(leaf)))

    result = fhir_service(log, "audit", "verify")

    assert result.exit_code == 1
    assert "Row 7 was altered" in result.stdout
    assert result.stdout.endswith("The log is NOT whole. The first bad row is 7.\n")


def test_an_entry_that_is_no_bytes_any_more_is_found(log, examined):
    tamper(log, ("UPDATE audit_entry SET leaf='text' WHERE leaf_index=3",))

    code, told = examined(log)

    assert (code, told["firstBadRow"]) == (1, 3)


def test_a_deleted_row_is_found(log, examined):
    tamper(log, ("DELETE FROM audit_entry WHERE leaf_index=5",))

    code, told = examined(log)

    assert (code, told["firstBadRow"]) == (1, 5)
    assert told["findings"][0]["sentence"] == "Row 5 is missing."


def test_a_row_inserted_at_the_end_is_found(log, examined):
    count = len(rows(log))
    _, leaf, hashed = rows(log)[0]
    tamper(log, ("INSERT INTO audit_entry VALUES (?, ?, ?)", count, leaf, hashed))

    code, told = examined(log)

    assert (code, told["firstBadRow"]) == (1, count)
    assert f"Rows from {count} on were inserted" in told["findings"][0]["sentence"]


def test_a_row_inserted_before_the_others_is_found(log, examined):
    _, leaf, hashed = rows(log)[0]
    tamper(log, ("INSERT INTO audit_entry VALUES (-1, ?, ?)", leaf, hashed))

    code, told = examined(log)

    assert (code, told["firstBadRow"]) == (1, -1)


def test_swapped_rows_are_found_by_the_signed_head(log, examined):
    first, second = rows(log)[4], rows(log)[9]
    tamper(
        log,
        *(
            ("UPDATE audit_entry SET leaf=?, leaf_hash=? WHERE leaf_index=?", *values)
            for values in ((*second[1:], 4), (*first[1:], 9))
        ),
    )

    code, told = examined(log)

    assert code == 1
    assert told["findings"][0]["kind"] == "rewritten"
    assert "altered, reordered, inserted or removed" in told["findings"][0]["sentence"]


def test_a_row_with_a_renewed_hash_is_found_by_the_signed_head(log, examined):
    index, leaf, _ = rows(log)[6]
    from consent.audit.merkle import leaf_hash  # noqa: PLC0415 - the intruder's tool

    tamper(
        log,
        (
            "UPDATE audit_entry SET leaf=?, leaf_hash=? WHERE leaf_index=?",
            altered(leaf),
            leaf_hash(altered(leaf)),
            index,
        ),
    )

    code, told = examined(log)

    assert (code, told["findings"][0]["kind"]) == (1, "rewritten")


def test_a_removed_tail_is_found_by_the_stored_head(log, examined):
    count = len(rows(log))
    tamper(log, ("DELETE FROM audit_entry WHERE leaf_index>=?", count - 3))

    code, told = examined(log)

    assert (code, told["firstBadRow"]) == (1, count - 3)


def test_an_older_copy_of_the_database_is_found_by_an_exported_checkpoint(
    log, fhir_service, tmp_path, examined
):
    path = log.data_dir / "fhir.sqlite3"
    older = path.read_bytes()
    count = len(rows(log))
    assert fhir_service(log, "audit", "export", str(tmp_path / "a")).exit_code == 0
    path.write_bytes(older)

    code, told = examined(log)

    assert (code, told["firstBadRow"]) == (1, count)
    assert told["findings"][0]["kind"] == "truncated"


def test_an_older_copy_is_found_by_an_export_that_was_kept_elsewhere(
    log, fhir_service, tmp_path, examined
):
    path = log.data_dir / "fhir.sqlite3"
    older = path.read_bytes()
    assert fhir_service(log, "audit", "export", str(tmp_path / "a")).exit_code == 0
    path.write_bytes(older)
    for kept in (log.data_dir / "checkpoints").iterdir():
        kept.unlink()

    without, _ = examined(log)
    code, told = examined(log, "--checkpoint", str(tmp_path / "a"))

    assert (without, code) == (0, 1)
    assert told["findings"][0]["kind"] == "truncated"


def test_checkpoints_kept_in_a_folder_elsewhere_are_all_looked_at(log, examined):
    code, told = examined(log, "--checkpoint", str(log.data_dir / "checkpoints"))

    assert (code, told["checkpoints"]) == (0, 3)


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("UPDATE audit_head SET frontier=?", b"short"),
        ("UPDATE audit_head SET frontier=?", 17),
        ("UPDATE audit_head SET note=?", "not a note"),
        ("UPDATE audit_head SET note=replace(note, 'time 2', ?)", "time 1"),
        ("DELETE FROM audit_head WHERE id=?", 1),
    ],
)
def test_an_edited_head_is_found(log, examined, statement, value):
    tamper(log, (statement, value))

    code, told = examined(log)

    assert code == 1
    assert "head" in {finding["kind"] for finding in told["findings"]}


def test_a_head_set_back_with_the_tail_it_counted_is_found(log, examined):
    from consent.audit.merkle import Frontier  # noqa: PLC0415 - the intruder's tool

    frontier, last = Frontier(), len(rows(log)) - 1
    for _, _, hashed in rows(log)[:last]:
        frontier.append(hashed)
    tamper(
        log,
        ("DELETE FROM audit_entry WHERE leaf_index=?", last),
        ("UPDATE audit_head SET frontier=?", frontier.to_bytes()),
    )

    code, told = examined(log)

    assert code == 1
    assert {"head", "truncated"} <= {one["kind"] for one in told["findings"]}


def test_a_forged_checkpoint_is_named_by_its_file(log, examined):
    [path] = (log.data_dir / "checkpoints").iterdir()
    path.write_bytes(path.read_bytes().replace(b"time 2", b"time 1"))

    code, told = examined(log)

    assert code == 1
    assert told["findings"][0]["sentence"].startswith(path.name)


def test_an_export_is_judged_without_a_database(log, fhir_service, tmp_path):
    target = tmp_path / "log.jsonl"
    result = fhir_service(log, "audit", "export", str(target))
    first, *entries = map(json.loads, target.read_text().splitlines())
    origin, public_key = parse_verifier_key(first["verifierKey"])

    report = verify(
        (
            (
                one["index"],
                base64.b64decode(one["entry"]),
                base64.b64decode(one["hash"]),
            )
            for one in entries
        ),
        head=None,
        checkpoints=[first["checkpoint"].encode()],
        origin=origin,
        public_key=public_key,
    )

    assert result.exit_code == 0
    assert (report.is_intact, report.covered) == (True, len(rows(log)))


def test_an_export_is_itself_in_the_log(log, fhir_service, tmp_path):
    before = len(rows(log))

    fhir_service(log, "audit", "export", str(tmp_path / "a"))

    assert len(rows(log)) == before + 1


def test_an_export_is_not_written_over(log, fhir_service, tmp_path):
    target = tmp_path / "evidence"
    target.write_text("older")

    result = fhir_service(log, "audit", "export", str(target))

    assert (result.exit_code, target.read_text()) == (1, "older")
    assert [path.name for path in tmp_path.glob("evidence*")] == ["evidence"]


def test_an_export_is_for_its_owner_alone(log, fhir_service, tmp_path):
    fhir_service(log, "audit", "export", str(tmp_path / "a"))

    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
