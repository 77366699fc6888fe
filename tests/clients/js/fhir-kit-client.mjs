// Vermonster's client, called as its README shows.
// https://github.com/Vermonster/fhir-kit-client
import assert from "node:assert/strict";
import { test } from "node:test";

import { CapabilityTool, Client } from "fhir-kit-client";

import practice, { family, person } from "./practice.mjs";

const client = new Client({
  baseUrl: practice.base,
  bearerToken: practice.token,
});

const readings = { patient: practice.patient, _sort: "-date" };

function ids(bundle) {
  return bundle.entry.map((entry) => entry.resource.id);
}

test("without a good token nothing is read", async () => {
  const stranger = new Client({ baseUrl: practice.base, bearerToken: "made-up" });
  const refused = stranger.read({ resourceType: "Patient", id: practice.patient });

  await assert.rejects(refused, (error) => {
    assert.equal(error.response.status, 401);
    assert.equal(error.response.data.resourceType, "OperationOutcome");
    return true;
  });
});

test("the endpoints of authorization are discovered", async () => {
  const { tokenUrl } = await client.smartAuthMetadata();

  assert.equal(tokenUrl.toString(), practice.token_url);
});

test("the capability statement is understood", async () => {
  const tool = new CapabilityTool(await client.capabilityStatement());

  assert.ok(tool.resourceCan("Patient", "read"));
  assert.ok(tool.resourceCan("Patient", "patch"));
  assert.ok(tool.resourceSearch("Observation", "_lastUpdated"));
  assert.ok(tool.serverCan("transaction"));
});

test("what is created is read, updated, patched and deleted", async () => {
  const resourceType = "Patient";
  const made = await client.create({ resourceType, body: person("kit-1") });
  const id = made.id;
  const { response } = Client.httpFor(made);
  assert.equal(response.status, 201);
  assert.equal(
    response.headers.get("Location"),
    `${practice.base}/Patient/${id}/_history/1`,
  );
  assert.deepEqual(await client.read({ resourceType, id }), made);

  await client.update({ resourceType, id, body: { ...made, active: false } });
  const patched = await client.patch({
    resourceType,
    id,
    jsonPatch: [
      { op: "replace", path: "/active", value: true },
      { op: "add", path: "/name/-", value: { use: "nickname", text: "Nao" } },
    ],
  });
  assert.equal(patched.meta.versionId, "3");
  assert.deepEqual(await client.vread({ resourceType, id, version: "1" }), made);

  await client.delete({ resourceType, id });
  await assert.rejects(
    client.read({ resourceType, id }),
    (error) => error.response.status === 410,
  );
});

test("a minimal answer has a location and no body", async () => {
  const minimal = await client.create({
    resourceType: "Patient",
    body: person("kit-minimal"),
    options: { headers: { Prefer: "return=minimal" } },
  });

  const { response } = Client.httpFor(minimal);
  assert.equal(response.status, 201);
  assert.ok(response.headers.get("Location"));
});

test("an update under a search changes the one that is found", async () => {
  const resourceType = "Patient";
  const made = await client.create({ resourceType, body: person("kit-conditional") });

  const updated = await client.update({
    resourceType,
    searchParams: { identifier: `${practice.system}|kit-conditional` },
    body: { ...person("kit-conditional"), active: false },
  });

  assert.equal(updated.id, made.id);
  assert.equal(updated.meta.versionId, "2");
});

test("a search is read to its last page and by POST", async () => {
  const found = [];
  let bundle = await client.search({
    resourceType: "Observation",
    searchParams: { ...readings, _count: "10" },
  });
  while (bundle) {
    found.push(...ids(bundle));
    bundle = await client.nextPage({ bundle });
  }
  const posted = await client.search({
    resourceType: "Observation",
    searchParams: { ...readings, _count: "100" },
    options: { postSearch: true },
  });

  assert.deepEqual(found, practice.observations);
  assert.deepEqual(ids(posted), practice.observations);
});

test("a compartment is searched", async () => {
  const bundle = await client.search({
    resourceType: "Observation",
    compartment: { resourceType: "Patient", id: practice.patient },
    searchParams: { _count: "100", _sort: "-date" },
  });

  assert.deepEqual(ids(bundle), practice.observations);
});

test("the system is searched by type", async () => {
  const bundle = await client.search({
    searchParams: { _type: "Patient,Observation", _id: practice.patient },
  });

  assert.deepEqual(ids(bundle), [practice.patient]);
});

test("a batch answers each entry", async () => {
  const answer = await client.batch({
    body: {
      resourceType: "Bundle",
      type: "batch",
      entry: [
        { request: { method: "GET", url: `Patient/${practice.patient}` } },
        { request: { method: "GET", url: "Patient/nobody" } },
        {
          request: {
            method: "GET",
            url: `Observation?patient=${practice.patient}&_count=5`,
          },
        },
      ],
    },
  });

  assert.deepEqual(
    answer.entry.map((entry) => entry.response.status.slice(0, 3)),
    ["200", "404", "200"],
  );
  assert.equal(answer.entry[2].resource.entry.length, 5);
});

test("a transaction is stored whole", async () => {
  const answer = await client.transaction({ body: family("kit-transaction") });

  assert.equal(answer.type, "transaction-response");
  assert.deepEqual(
    answer.entry.map((entry) => entry.response.status.slice(0, 3)),
    ["201", "201"],
  );
});

test("history is read of an instance, a type and the system", async () => {
  const resourceType = "Patient";
  const made = await client.create({ resourceType, body: person("kit-history") });
  await client.update({
    resourceType,
    id: made.id,
    body: { ...made, active: false },
  });

  const instance = await client.history({ resourceType, id: made.id });
  const type = await client.history({ resourceType });
  const system = await client.history();

  const versions = instance.entry.map((entry) => entry.resource.meta.versionId);
  assert.deepEqual(versions, ["2", "1"]);
  assert.equal(type.entry[0].resource.id, made.id);
  assert.equal(system.type, "history");
});

test("operations are called on an instance and on a type", async () => {
  const everything = await client.operation({
    name: "everything",
    resourceType: "Patient",
    id: practice.patient,
    method: "GET",
  });
  const outcome = await client.operation({
    name: "validate",
    resourceType: "Patient",
    input: person("kit-valid"),
  });

  assert.equal(everything.type, "searchset");
  assert.equal(outcome.resourceType, "OperationOutcome");
});

test("a reference is resolved", async () => {
  const context = await client.read({
    resourceType: "Observation",
    id: practice.observations[0],
  });

  const subject = await client.resolve({
    reference: context.subject.reference,
    context,
  });

  assert.equal(subject.id, practice.patient);
});
