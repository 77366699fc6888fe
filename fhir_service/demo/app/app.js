// A SMART App Launch 2.2 client for browsers, without a library: discovery, PKCE,
// code exchange, refresh and revocation.
// https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"use strict";

const CLIENT = "demo-app";
const REDIRECT = `${location.origin}/`;
const SCOPES = ["openid", "fhirUser", "offline_access", "patient/*.rs"];
const part = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);

// The session's own storage: a request under way, and then what was granted. Tokens
// end with the tab.
const kept = {
  get: () => JSON.parse(sessionStorage.getItem("smart") || "null"),
  set: (value) => sessionStorage.setItem("smart", JSON.stringify(value)),
  clear: () => sessionStorage.removeItem("smart"),
};

function tell(text) {
  part("told").textContent = text;
}

function base64url(bytes) {
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function secret() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function answered(response) {
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const issue = body.issue && body.issue[0];
  const why = body.error_description || (issue && issue.diagnostics) || "";
  throw new Error(`${response.status} ${why}`);
}

async function begin(iss, launch) {
  const base = iss.replace(/\/$/, "");
  const known = await answered(
    await fetch(`${base}/.well-known/smart-configuration`, {
      headers: { Accept: "application/json" },
    }),
  );
  const verifier = secret();
  const state = secret();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  kept.set({ base, verifier, state, token: known.token_endpoint, revoke: known.revocation_endpoint, issuer: known.issuer });
  const query = new URLSearchParams({
    response_type: "code",
    client_id: CLIENT,
    redirect_uri: REDIRECT,
    scope: [...SCOPES, launch ? "launch" : "launch/patient"].join(" "),
    state,
    aud: base,
    code_challenge: base64url(digest),
    code_challenge_method: "S256",
  });
  if (launch) query.set("launch", launch);
  location.assign(`${known.authorization_endpoint}?${query}`);
}

async function post(url, fields) {
  return fetch(url, { method: "POST", body: new URLSearchParams({ client_id: CLIENT, ...fields }) });
}

async function finish() {
  const own = kept.get();
  const iss = asked.get("iss");
  if (!own || asked.get("state") !== own.state || (iss && iss !== own.issuer)) {
    throw new Error("This answer belongs to no request of this tab.");
  }
  history.replaceState(null, "", REDIRECT);
  if (asked.has("error")) {
    kept.clear();
    throw new Error(`Not connected: ${asked.get("error")}.`);
  }
  const response = await post(own.token, {
    grant_type: "authorization_code",
    code: asked.get("code"),
    redirect_uri: REDIRECT,
    code_verifier: own.verifier,
  });
  const granted = await answered(response);
  kept.set({ base: own.base, token: own.token, revoke: own.revoke, granted });
  await show();
}

async function read(path) {
  const own = kept.get();
  const response = await fetch(`${own.base}/${path}`, {
    headers: {
      Accept: "application/fhir+json",
      Authorization: `Bearer ${own.granted.access_token}`,
    },
  });
  return answered(response);
}

function fact(name, value) {
  const term = document.createElement("dt");
  const told = document.createElement("dd");
  term.textContent = name;
  told.textContent = value;
  part("facts").append(term, told);
}

async function show() {
  const { granted } = kept.get();
  part("connect").hidden = true;
  part("connected").hidden = false;
  part("facts").replaceChildren();
  if (granted.patient) {
    const patient = await read(`Patient/${granted.patient}`).catch(() => ({}));
    const name = patient.name && patient.name[0];
    fact("Patient", (name && name.text) || granted.patient);
  }
  fact("Scopes", granted.scope);
  fact("Token ends in", `${granted.expires_in} seconds`);
  part("refresh").hidden = !granted.refresh_token;
  tell("Connected.");
}

function value(resource) {
  const quantity = resource.valueQuantity;
  if (quantity) return `${quantity.value} ${quantity.unit || quantity.code || ""}`;
  const concept = resource.valueCodeableConcept;
  if (concept) return concept.text || concept.coding[0].display;
  const parts = (resource.component || []).map((one) => value(one));
  return parts.join(", ") || String(resource.valueInteger ?? resource.valueString ?? "");
}

async function list() {
  const { granted } = kept.get();
  const query = new URLSearchParams({ patient: granted.patient, _count: "20", _sort: "-date" });
  const bundle = await read(`Observation?${query}`);
  const rows = (bundle.entry || []).map((entry) => entry.resource);
  const found = rows.filter((one) => one.resourceType === "Observation");
  part("rows").replaceChildren(
    ...found.map((one) => {
      const row = document.createElement("tr");
      const coding = (one.code.coding || [{}])[0];
      const period = one.effectivePeriod || {};
      const cells = [one.effectiveDateTime || period.end || period.start || "", one.code.text || coding.display || coding.code, value(one)];
      row.append(
        ...cells.map((text) => {
          const cell = document.createElement("td");
          cell.textContent = text;
          return cell;
        }),
      );
      return row;
    }),
  );
  tell(`${found.length} observations.`);
}

async function refresh() {
  const own = kept.get();
  const fields = { grant_type: "refresh_token", refresh_token: own.granted.refresh_token };
  const granted = await answered(await post(own.token, fields));
  kept.set({ ...own, granted: { ...own.granted, ...granted } });
  await show();
  tell("The token is a new one.");
}

async function revoke() {
  const own = kept.get();
  const token = own.granted.refresh_token || own.granted.access_token;
  const response = await post(own.revoke, { token });
  if (!response.ok) throw new Error(`${response.status}`);
  kept.clear();
  part("connected").hidden = true;
  part("connect").hidden = false;
  part("rows").replaceChildren();
  tell("The access was given back; the server forgot these tokens at once.");
}

function safely(work) {
  return (event) => {
    if (event) event.preventDefault();
    tell("…");
    Promise.resolve(work()).catch((error) => tell(error.message));
  };
}

part("iss").value = document.documentElement.dataset.iss || `${location.protocol}//${location.hostname}:${Number(location.port) - 1}/fhir`;
part("connect").addEventListener("submit", safely(() => begin(part("iss").value)));
part("read").addEventListener("click", safely(list));
part("refresh").addEventListener("click", safely(refresh));
part("revoke").addEventListener("click", safely(revoke));

if (asked.has("launch") && asked.has("iss")) safely(() => begin(asked.get("iss"), asked.get("launch")))();
else if (asked.has("code") || asked.has("error")) safely(finish)();
else if (kept.get() && kept.get().granted) safely(show)();
