// A small app on a server, made with SMART's JavaScript client as its documentation
// shows. It waits for /launch, for the answer at /callback, and for /after.
// https://docs.smarthealthit.org/client-js/node.html
import { createServer } from "node:http";

import smart from "fhirclient";

const app = JSON.parse(process.env.APP);
const kept = new Map();
const storage = {
  get: async (key) => kept.get(key),
  set: async (key, value) => {
    kept.set(key, value);
    return value;
  },
  unset: async (key) => kept.delete(key),
};

async function launch(api) {
  await api.authorize({
    iss: app.base,
    clientId: app.client,
    clientSecret: app.secret ?? undefined,
    redirectUri: app.redirect,
    scope: app.scope,
    pkceMode: "required",
  });
}

async function told(client) {
  const patient = await client.patient.read();
  const user = await client.user.read();
  const found = await client.patient.request("Observation", {
    pageLimit: 0,
    flat: true,
  });
  const before = client.state.tokenResponse.access_token;
  await client.refresh();
  const again = await client.patient.read();
  return {
    patient: patient.id,
    user: `${user.resourceType}/${user.id}`,
    observations: found.map((one) => one.id),
    refreshed: client.state.tokenResponse.access_token !== before,
    refreshToken: client.state.tokenResponse.refresh_token,
    again: again.id,
  };
}

let client;

const pages = {
  "/launch": (api) => launch(api),
  "/callback": async (api, response) => {
    client = await api.ready();
    // A public client says who it is in each request (RFC 6749, section 3.2.1).
    client.environment.options.refreshTokenWithClientId = !app.secret;
    response.end(JSON.stringify(await told(client)));
  },
  "/after": async (_api, response) => {
    let status = 200;
    try {
      await client.request(`Patient/${client.patient.id}`);
    } catch (error) {
      status = error.status ?? error.statusCode ?? 401;
    }
    response.end(JSON.stringify({ status }));
  },
};

const server = createServer(async (request, response) => {
  const page = pages[new URL(request.url, "http://localhost").pathname];
  try {
    await page(smart(request, response, storage), response);
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error));
  }
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
