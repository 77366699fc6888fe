"""Device data to FHIR: vendors' payloads in, Measurements and resources out."""
