"""Starts the server of the bench: `python -m fhir_service.bench.serve`.

Its own module, because the metrics may not be imported before the workers start.
"""

from fhir_service.server import serve
from fhir_service.settings import process_settings

TARGET = "fhir_service.bench.target:app"
"""What a worker process loads."""

if __name__ == "__main__":
    serve(process_settings(), TARGET)
