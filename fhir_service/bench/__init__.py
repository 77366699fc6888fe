"""Measures an installation: `fhir-service bench`. Nothing of the service imports it."""
