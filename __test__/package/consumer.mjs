// Run by scripts/test-package.mjs in a project that has nothing but the installed package.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { createServer } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import ferrequest, {
  Agent, ClientRequest, ClientResponse, diagnose, get, globalAgent, request, stats,
} from 'ferrequest';
import * as namespace from 'ferrequest';
import * as httpsNamespace from 'ferrequest/https';

for (const name of Object.keys(http)) assert.equal(namespace[name], ferrequest[name], name);
for (const name of Object.keys(https)) assert.equal(httpsNamespace[name], httpsNamespace.default[name], name);
const named = { Agent, ClientRequest, ClientResponse, diagnose, get, globalAgent, request, stats };
for (const [name, value] of Object.entries(named)) {
  assert.equal(value, ferrequest[name], name);
  assert(value, name);
}

const server = createServer((incoming, outgoing) => incoming.pipe(outgoing)).listen(0, '127.0.0.1');
await once(server, 'listening');
const sent = request({ port: server.address().port, host: '127.0.0.1', method: 'POST' }).end('sent by an ES module');
const [response] = await once(sent, 'response');
assert(response instanceof ClientResponse);
assert.equal(await text(response), 'sent by an ES module');
assert.equal(stats().responses, 1);
server.close();
globalAgent.destroy();
console.log('ok   import http from \'ferrequest\' makes a request');
