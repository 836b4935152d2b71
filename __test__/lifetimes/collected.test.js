'use strict';

/** Requests that are over are collected with their responses and stores, however they ended, while the agent lives. */

const { describeOurs } = require('../support');
const { describeTransports } = require('../support/transports');

/** Makes requests that end in every way, forgets them, and tells of which the collector finds nothing left. */
async function requestAndForget(http, { end, kept }, transport) {
  const { AsyncLocalStorage } = require('node:async_hooks');
  const { setMaxListeners } = require('node:events');
  const vm = require('node:vm');
  require('node:v8').setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc');
  const answers = {
    '/whole': 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody',
    '/half': 'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nbody',
    '/garbage': 'nonsense\r\n\r\n',
  };
  const peer = await transport.serveRaw((socket) => {
    socket.on('data', (bytes) => {
      const [, path] = bytes.toString('latin1').split(' ');
      if (path === '/reset') socket.destroy();
      else socket.write(answers[path] ?? '');
    });
    socket.on('end', () => socket.end());
  });
  const agent = await transport.agentTo(peer);
  const storage = new AsyncLocalStorage();
  const shared = new AbortController();
  setMaxListeners(0, shared.signal);
  const refs = [];
  const stores = [];
  const ways = {
    'read to the end': ['/whole', (req, res) => res?.resume()],
    'read with a signal that others share': ['/whole', (req, res) => res?.resume(), { signal: shared.signal }],
    'paused and read on': ['/whole', (req, res) => res?.pause() && setImmediate(() => res.resume())],
    'destroyed at once': ['/never', (req, res) => res ?? req.destroy()],
    'aborted while it waits': ['/never', (req, res) => res ?? setTimeout(() => req.abort(), 1)],
    'destroyed in its response': ['/half', (req) => req.res?.destroy()],
    'destroyed while its response pauses': ['/half', (req, res) => res?.pause() && setImmediate(() => req.destroy())],
    'reset': ['/reset', () => {}],
    'refused by the parser': ['/garbage', () => {}],
    'timed out': ['/never', (req, res) => res ?? req.on('timeout', () => req.destroy()), { timeout: 1 }],
  };
  const request = ([path, act, options]) => storage.run({}, async () => {
    const req = http.request({ ...peer.address, agent, path, ...options });
    refs.push(new WeakRef(req));
    stores.push(new WeakRef(storage.getStore()));
    req.on('error', () => {});
    req.on('response', (res) => {
      refs.push(new WeakRef(res));
      res.on('error', () => {});
      act(req, res);
    });
    req.end();
    act(req);
    await new Promise((resolve) => { req.on('close', resolve); });
  });
  for (let i = 0; i < 6; i++) await request(ways[end]);
  // A connection idles, and the signal could still be aborted.
  await request(ways['read to the end']);
  const countOf = (list) => list.filter((ref) => ref.deref() !== undefined).length;
  // A connection keeps the store in which it was made, and the event loop that of its last callback, as with Node.
  const tooMany = () => Math.max(countOf(refs) - kept, 0);
  const left = () => tooMany() + Math.max(countOf(stores) - 2, 0);
  const deadline = Date.now() + 10_000;
  while (left() > 0 && Date.now() < deadline) {
    await new Promise((resolve) => { setTimeout(resolve, 5); });
    gc();
  }
  const idle = Object.values(agent.freeSockets).flat().length;
  const made = refs.length;
  const { aborted } = shared.signal;
  console.log(JSON.stringify({ made, left: tooMany(), stores: countOf(stores), idle, aborted }));
  agent.destroy();
  peer.server.close();
  process.exit();
}

const ENDS = [
  'read to the end', 'read with a signal that others share', 'paused and read on', 'destroyed at once',
  'aborted while it waits', 'destroyed in its response', 'destroyed while its response pauses', 'reset',
  'refused by the parser', 'timed out',
];

describeOurs('requests that are over', () => {
  describeTransports('leave nothing', (transport) => {
    // One that is destroyed at once begins on no connection.
    const ends = transport.isLent ? ENDS.filter((way) => way !== 'destroyed at once') : ENDS;
    it.each(ends)('when they were %s', async (way) => {
      // Since Node 22 a TLSSocket keeps the request for which it was made, and its response.
      const args = { end: way, kept: transport.isTls ? 2 : 0 };
      const { stdout, stderr } = await transport.runScript(requestAndForget, { args });
      expect(stderr).toBe('');
      const { made, stores, ...rest } = JSON.parse(stdout);
      expect(rest).toEqual({ left: 0, idle: 1, aborted: false });
      expect(stores).toBeLessThanOrEqual(2);
      expect(made).toBeGreaterThanOrEqual(8);
    });
  });
});
