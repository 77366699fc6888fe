"""What each command of `fhir-service` does, apart from reading its arguments."""
