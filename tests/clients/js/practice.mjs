// What the test that starts these scripts has put on the served instance.
const practice = JSON.parse(process.env.PRACTICE);

// A transaction of a Patient and of somebody related to this Patient.
export function family(value) {
  const uuid = "urn:uuid:8a7e1e3c-6a44-4c07-9d5f-2e4b5b1c0a03";
  return {
    resourceType: "Bundle",
    type: "transaction",
    entry: [
      {
        fullUrl: uuid,
        resource: person(value),
        request: { method: "POST", url: "Patient" },
      },
      {
        resource: { resourceType: "RelatedPerson", patient: { reference: uuid } },
        request: { method: "POST", url: "RelatedPerson" },
      },
    ],
  };
}

// A Patient of the practice that no other test has.
export function person(value) {
  return {
    resourceType: "Patient",
    active: true,
    identifier: [{ system: practice.system, value }],
    name: [{ family: "Nakamura", given: [value] }],
    managingOrganization: { reference: practice.organization },
  };
}

export default practice;
