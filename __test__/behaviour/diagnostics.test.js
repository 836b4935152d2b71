'use strict';

/** diagnostics_channel, as tracers read it: what Node's own client tells, ours tells too, in the same order. */

const { AsyncLocalStorage } = require('node:async_hooks');
const diagnostics = require('node:diagnostics_channel');
const nodeHttp = require('node:http');
const nodeHttps = require('node:https');
const net = require('node:net');

const ferrequest = require('../..');
const ferrequestHttps = require('../../https');
const { cleanUp, describeOurs, onRequestHead, serve, serveRaw, socketPath, unusedPort, until } =
  require('../support');
const { asEarlyParserSays } = require('../support/early-parser');
const { certificates, serveTls } = require('../support/tls');

const CHANNELS = ['http.client.request.created', 'http.client.request.start', 'http.client.request.error',
  'http.client.response.finish', 'net.client.socket'];

const NODE = { http: nodeHttp, https: nodeHttps, IncomingMessage: nodeHttp.IncomingMessage };
const OURS = { http: ferrequest, https: ferrequestHttps, IncomingMessage: ferrequest.ClientResponse };

const storage = new AsyncLocalStorage();

/**
 * @param {typeof NODE} client
 * @param {import('node:http').ClientRequest|undefined} req the request that is under way, once its variable is set
 */
function describeMessage(client, req, { request, response, socket, error, ...others }) {
  return {
    others: Object.keys(others),
    request: request instanceof nodeHttp.OutgoingMessage,
    same: req && request ? request === req : undefined,
    method: request?.method,
    hasHost: request?.hasHeader('host'),
    headersSent: request?.headersSent,
    hasSocket: Boolean(request?.socket),
    response: response && [response instanceof client.IncomingMessage, response.statusCode, response.headers.a,
      request.res === response],
    error: error && [error.name, error.code, asEarlyParserSays(error.message.replace(/\d+$/, 'PORT'))],
    socket: socket && [socket instanceof net.Socket, socket.connecting, socket.destroyed],
    store: storage.getStore(),
  };
}

/**
 * Makes requests, one when the one before is closed, and writes down every message, with the events in between.
 * @param {typeof NODE} client
 * @param {((client: typeof NODE) => import('node:http').ClientRequest)[]} requests
 */
async function messagesOf(client, requests) {
  const lines = [];
  const current = {};
  const subscribers = CHANNELS.map((name) => [name, (message) => {
    lines.push({ name, ...describeMessage(client, current.req, message) });
  }]);
  for (const [name, subscriber] of subscribers) diagnostics.subscribe(name, subscriber);
  const unsubscribe = () => {
    for (const [name, subscriber] of subscribers) diagnostics.unsubscribe(name, subscriber);
  };
  cleanUp(unsubscribe);
  for (const [index, make] of requests.entries()) {
    current.req = undefined;
    const req = current.req = storage.run(`request ${index}`, () => make(client));
    for (const event of ['socket', 'response', 'error', 'close']) req.prependListener(event, () => lines.push(event));
    req.on('response', (res) => res.resume());
    await until(() => req.closed, () => `the end of request ${index}: ${JSON.stringify(lines)}`);
  }
  unsubscribe();
  return lines;
}

/** Channels of requests that the running Node has itself: ours publishes all of them on every Node. */
let channelsOfNode;

/** Leaves out what the running Node does not tell. */
const known = (lines) => lines.filter(({ name }) => !name?.startsWith('http.client.request.') ||
  channelsOfNode.has(name));

beforeAll(async () => {
  const { address, server } = await serve(() => {});
  await new Promise((resolve) => { server.close(resolve); });
  const lines = await messagesOf(NODE, [({ http }) => http.get({ ...address, agent: false }).on('error', () => {})]);
  channelsOfNode = new Set(lines.map(({ name }) => name));
});

/** @returns {Promise<object[]>} what both have said */
async function same(...requests) {
  const node = await messagesOf(NODE, requests);
  const ours = await messagesOf(OURS, requests);
  expect(known(ours)).toEqual(node);
  return ours;
}

const namesOf = (lines) => lines.map((line) => line.name ?? line);

describeOurs('the messages of diagnostics_channel are those of Node', () => {
  it('for requests with and without a new connection', async () => {
    const { address } = await serve((_req, res) => res.writeHead(200, { A: 'b' }).end('hello'));
    const agents = new Map([NODE, OURS].map((client) => [client, new client.http.Agent({ keepAlive: true })]));
    cleanUp(() => { for (const agent of agents.values()) agent.destroy(); });
    const get = (client) => client.http.get({ ...address, agent: agents.get(client) });
    const post = (client) => client.http.request({ ...address, method: 'POST', agent: agents.get(client) }).end('body');
    const lines = await same(get, post, get);
    const created = ['http.client.request.created'].filter((name) => channelsOfNode.has(name));
    const all = [...created, 'http.client.request.start', 'socket', 'http.client.response.finish', 'response', 'close'];
    for (const name of all) expect(namesOf(lines).filter((other) => other === name)).toHaveLength(3);
    expect(namesOf(lines).filter((name) => name === 'net.client.socket')).toHaveLength(1);
    expect(lines.find(({ name }) => name === 'http.client.response.finish').response).toEqual([true, 200, 'b', true]);
  });

  it('for requests without an agent, with an agent of their own, and over a Unix domain socket', async () => {
    const path = socketPath();
    const { address } = await serve((_req, res) => res.end());
    await serve((_req, res) => res.end(), { listen: { path } });
    const lines = await same(
      ({ http }) => http.get({ ...address, agent: false }),
      ({ http }) => http.get({ ...address, agent: null, createConnection: net.createConnection }),
      ({ http }) => http.get({ socketPath: path, agent: false }),
    );
    expect(namesOf(lines).filter((name) => name === 'net.client.socket')).toHaveLength(3);
  });

  it('for https', async () => {
    const { address } = await serveTls((_req, res) => res.end());
    const lines = await same(({ https }) => https.get({ ...address, agent: false, ca: certificates.ca }));
    expect(namesOf(lines)).toContain('http.client.response.finish');
  });

  it('for a request that nobody takes', async () => {
    const port = await unusedPort();
    const lines = await same(({ http }) => http.get({ port, host: '127.0.0.1', agent: false }));
    expect(lines.find(({ name }) => name === 'http.client.request.error').error[1]).toBe('ECONNREFUSED');
  });

  it.each([
    ['hung up on', (socket) => socket.end(), 'ECONNRESET'],
    ['answered with garbage', (socket) => socket.end('garbage\r\n\r\n'), 'HPE_INVALID_CONSTANT'],
    ['reset', (socket) => socket.resetAndDestroy(), 'ECONNRESET'],
  ])('for a request that is %s', async (_how, answer, code) => {
    const { address } = await serveRaw((socket) => onRequestHead(socket, () => answer(socket)));
    const lines = await same(({ http }) => http.get({ ...address, agent: false }));
    expect(lines.filter(({ name }) => name === 'http.client.request.error').map(({ error }) => error[1]))
      .toEqual([code]);
  });

  it('for requests that are called off', async () => {
    const { address } = await serve(() => {});
    const lines = await same(
      ({ http }) => http.get({ ...address, agent: false }).destroy(new Error('enough')),
      ({ http }) => http.get({ ...address, agent: false, signal: AbortSignal.abort() }),
      ({ http }) => http.get({ ...address, agent: false }).on('socket', function onSocket() {
        this.abort();
      }),
    );
    expect(lines.filter(({ name }) => name === 'http.client.request.error').map(({ error }) => error[1] ?? error[2]))
      .toEqual(['enough', 'ABORT_ERR', 'ECONNRESET']);
  });
});
