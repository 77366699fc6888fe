"""Resources of the HL7 Personal Health Device guide, from a gateway.

https://hl7.org/fhir/uv/phd/
"""
