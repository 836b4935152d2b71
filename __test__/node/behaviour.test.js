'use strict';

/** The answers of lib/node/behaviour.js are what Node's own client does, on the Node that runs. */

const { once } = require('node:events');
const fs = require('node:fs');
const nodeHttp = require('node:http');
const os = require('node:os');
const path = require('node:path');

const behaviour = require('../../lib/node/behaviour');
const { cleanUp, describeOurs, responseTo, runNode, serve, serveAnswer, serveRaw, until } = require('../support');

/** Gives an agent of Node's own that keeps connections alive. */
function nodeAgent() {
  const agent = new nodeHttp.Agent({ keepAlive: true });
  cleanUp(() => agent.destroy());
  return agent;
}

describeOurs('the answers of lib/node/behaviour.js', () => {
  it('sparesWholeExchange: destroy() behind both messages leaves the connection open', async () => {
    const { address } = await serve((req, res) => res.end('whole'));
    const req = nodeHttp.get({ ...address, agent: nodeAgent() });
    req.on('error', () => {});
    const res = await responseTo(req);
    const { socket } = req;
    await until(() => res.complete);
    req.destroy();
    expect(!socket.destroyed).toBe(behaviour.sparesWholeExchange());
  });

  it('namesTargetInHost, takesTargetFromUrl: what a CONNECT to a URL sends', async () => {
    const peer = await serve();
    const heads = [];
    peer.server.on('connect', (req, socket) => {
      heads.push([req.url, req.headers.host]);
      socket.end('HTTP/1.1 200 OK\r\n\r\n');
    });
    const { host, port } = peer.address;
    const req = nodeHttp.request(`http://${host}:${port}/origin.test:1`, { method: 'CONNECT' }).end();
    const [, socket] = await once(req, 'connect');
    socket.destroy();
    const target = behaviour.takesTargetFromUrl() ? 'origin.test:1' : '/origin.test:1';
    expect(heads).toEqual([[target, behaviour.namesTargetInHost() ? target : `${host}:${port}`]]);
  });

  it('knowsRequestAtOnce: a socket has its request when onSocket() has returned', async () => {
    const { address } = await serve((req, res) => res.end());
    let knows;
    class Watching extends nodeHttp.Agent {
      createSocket(req, options, callback) {
        super.createSocket(req, options, (error, socket) => {
          callback(error, socket);
          knows = socket._httpMessage === req;
        });
      }
    }
    const agent = new Watching();
    cleanUp(() => agent.destroy());
    const res = await responseTo(nodeHttp.get({ ...address, agent }));
    res.resume();
    await once(res, 'close');
    expect(knows).toBe(behaviour.knowsRequestAtOnce());
  });

  it('tellsCauseOfAbort: a response that is cut says why', async () => {
    const { address } = await serveAnswer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
    const req = nodeHttp.get(address);
    req.on('error', () => {});
    const res = await responseTo(req);
    const why = new Error('why');
    req.destroy(why);
    const [error] = await once(res, 'error');
    expect(error.message).toBe('aborted');
    expect(error.cause).toBe(behaviour.tellsCauseOfAbort() ? why : undefined);
  });

  it('endJoinsCorkedChunks: corked chunks and that of end() go out as one, and the end behind them', async () => {
    let body = '';
    const { address } = await serveRaw((socket) => {
      let wire = '';
      socket.on('data', (chunk) => {
        wire += chunk.toString('latin1');
        body = wire.slice(wire.indexOf('\r\n\r\n') + 4);
        if (['held', 'last', '0\r\n\r\n'].every((part) => body.includes(part))) {
          socket.end('HTTP/1.1 200 OK\r\n\r\n');
        }
      });
    });
    const req = nodeHttp.request({ ...address, method: 'POST' });
    req.flushHeaders();
    await once(req, 'socket');
    await once(req.socket, 'connect');
    req.cork();
    req.write('held');
    req.end('last');
    const res = await responseTo(req);
    res.resume();
    await once(res, 'close');
    expect(body === '8\r\nheldlast\r\n0\r\n\r\n').toBe(behaviour.endJoinsCorkedChunks());
  });

  it('watchesIdleSockets: the end of an idle connection closes its socket without \'end\'', async () => {
    const peer = await serve((req, res) => res.end());
    const req = nodeHttp.get({ ...peer.address, agent: nodeAgent() });
    const res = await responseTo(req);
    const { socket } = req;
    res.resume();
    await once(socket, 'free');
    const ends = [];
    socket.on('end', () => ends.push('end'));
    for (const accepted of peer.sockets) accepted.end();
    await once(socket, 'close');
    expect(ends.length === 0).toBe(behaviour.watchesIdleSockets());
  });
});

describeOurs('asking', () => {
  it('shows in no async hook, no channel and no trace', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
    cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
    const script = `
      // Loading this is no part of the questions.
      require('node:_http_common');
      const behaviour = require('./lib/node/behaviour');
      const { subscribe } = require('node:diagnostics_channel');
      const seen = [];
      for (const side of ['client.request', 'client.response', 'server.request', 'server.response']) {
        for (const name of ['created', 'start', 'error', 'finish']) {
          subscribe('http.' + side + '.' + name, () => seen.push(name));
        }
      }
      const hook = require('node:async_hooks').createHook({ init: (id, type) => seen.push(type) }).enable();
      for (const ask of Object.values(behaviour)) ask();
      hook.disable();
      setImmediate(() => console.log(JSON.stringify(seen)));`;
    const file = path.join(folder, 'trace.json');
    const trace = ['--trace-event-categories', 'node.http', '--trace-event-file-pattern', file];
    const { stdout, stderr } = await runNode(['--pending-deprecation', ...trace, '-e', script]);
    expect([stdout.trim(), stderr]).toEqual(['[]', '']);
    const { traceEvents } = JSON.parse(fs.readFileSync(file, 'utf8'));
    expect(traceEvents.filter(({ cat }) => cat.includes('node.http'))).toEqual([]);
  });
});
