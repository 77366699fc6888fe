"""One module an interaction of FHIR's RESTful API."""
