"""FHIR's RESTful API as values: requests, responses, Bundles, links."""
