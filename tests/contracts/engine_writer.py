"""Writes Patients in a process of its own, and prints what it was promised.

Arguments: data folder, database URL, a name, how many.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))

from worlds import patient, settings_of

from fhir_service.deployment import open_deployment


def main() -> None:
    data, url, name, count = sys.argv[1:]
    deployment = open_deployment(settings_of(Path(data), url))
    repository = deployment.services.repository

    def work(transaction):
        written = repository.create(transaction, patient(), patient_key=0)
        transaction.audit(f"{name} {written.stored.seq}".encode())
        return written

    for _ in range(int(count)):
        written = deployment.database.write(work)
        print(written.stored.seq, written.id, flush=True)  # noqa: T201 - the test reads
    deployment.database.close()


main()
