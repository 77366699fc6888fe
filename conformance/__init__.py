"""FHIR's own definitions, read as data. Imports nothing of ours."""
