// SMART's JavaScript client on a server, called as its documentation shows.
// https://docs.smarthealthit.org/client-js/
import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";

import smart from "fhirclient";

import practice, { family, person } from "./practice.mjs";

function connect(token) {
  const request = new IncomingMessage(new Socket());
  request.session = {}; // As express-session gives each request.
  return smart(request, new ServerResponse(request)).client({
    serverUrl: practice.base,
    tokenResponse: { access_token: token, patient: practice.patient },
  });
}

const client = connect(practice.token);

test("without a good token nothing is read", async () => {
  const refused = connect("made-up").request(`Patient/${practice.patient}`);

  await assert.rejects(refused, (error) => error.status === 401);
});

test("the release is that of R4", async () => {
  assert.equal(await client.getFhirVersion(), "4.0.1");
  assert.equal(await client.getFhirRelease(), 4);
});

test("the patient of the context is read", async () => {
  const patient = await client.patient.read();

  assert.equal(patient.id, practice.patient);
});

test("the data of the patient of the context are found", async () => {
  const bundle = await client.patient.request("Observation");

  assert.equal(bundle.entry.length, practice.observations.length);
});

test("a search is read to its last page", async () => {
  const found = await client.request(
    `Observation?patient=${practice.patient}&_sort=-date&_count=10`,
    { pageLimit: 0, flat: true },
  );

  assert.deepEqual(found.map((one) => one.id), practice.observations);
});

test("resources are taken one by one while pages are asked for", async () => {
  const ids = [];
  const url = `Observation?patient=${practice.patient}&_sort=-date&_count=7`;

  for await (const resource of client.resources(url)) {
    ids.push(resource.id);
  }

  assert.deepEqual(ids, practice.observations);
});

test("references are resolved", async () => {
  const observation = await client.request(
    `Observation/${practice.observations[0]}`,
    { resolveReferences: ["subject"] },
  );

  assert.equal(observation.subject.id, practice.patient);
});

test("what is created is updated, patched and deleted", async () => {
  const made = await client.create(person("js-1"));
  assert.equal(made.meta.versionId, "1");

  const updated = await client.update({ ...made, active: false });
  assert.equal(updated.meta.versionId, "2");

  const patched = await client.patch(`Patient/${made.id}`, [
    { op: "replace", path: "/active", value: true },
  ]);
  assert.equal(patched.meta.versionId, "3");
  assert.equal(patched.active, true);

  await client.delete(`Patient/${made.id}`);
  const read = client.request(`Patient/${made.id}`);
  await assert.rejects(read, (error) => error.status === 410);
});

test("a transaction is posted to the base", async () => {
  const answer = await client.request({
    url: practice.base,
    method: "POST",
    body: JSON.stringify(family("js-transaction")),
    headers: { "content-type": "application/fhir+json" },
  });

  assert.equal(answer.type, "transaction-response");
  assert.deepEqual(
    answer.entry.map((one) => one.response.status.slice(0, 3)),
    ["201", "201"],
  );
});

test("the history of a resource is a request like any other", async () => {
  const made = await client.create(person("js-history"));
  await client.update({ ...made, active: false });

  const bundle = await client.request(`Patient/${made.id}/_history`);

  assert.deepEqual(bundle.entry.map((one) => one.resource.meta.versionId), ["2", "1"]);
});

test("what is wrong is told by the client's own error", async () => {
  const refused = client.create({ ...person("js-bad"), birthDate: "yesterday" });

  await assert.rejects(refused, (error) => {
    assert.equal(error.status, 422);
    assert.match(error.message, /birthDate|date/i);
    return true;
  });
});
