'use strict';

/** Streams that are given up: what happens to the request, the response and the connection. */

const fs = require('node:fs');
const nodeHttp = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const { finished, pipeline, PassThrough, promises, Readable, Transform, Writable } = require('node:stream');
const { createGunzip, gzipSync } = require('node:zlib');
const { sparesWholeExchange } = require('../../lib/node/behaviour');
const {
  bytesOf, cleanUp, http, poolOf, pseudoRandomBytes, quiet, record, responseTo, runScript, serve,
  until, untilIdle, untilNoConnections, untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');

/** An endless answer to /endless, a cut one to /cut, and a whole one to anything else. */
const serveBodies = (transport) => transport.serve(async (req, res) => {
  req.resume();
  if (req.url === '/endless') {
    const more = () => { while (!res.destroyed && res.write(Buffer.alloc(10000, 'x'))); };
    res.on('drain', more);
    more();
  } else if (req.url === '/cut') {
    res.writeHead(200, { 'Content-Length': 10 });
    res.write('cut', () => res.socket.end());
  } else {
    res.end('whole');
  }
});

/** @returns {Promise<Error | undefined>} what stream.finished() says */
const ended = (stream) => new Promise((resolve) => { finished(stream, resolve); });

/** Calls the pipeline of an endless response off by a signal. @returns {Promise<string>} the code of its error */
async function codeOfCalledOff(res) {
  const controller = new AbortController();
  const sink = new PassThrough();
  sink.resume();
  const failed = promises.pipeline(res, sink, { signal: controller.signal });
  await once(sink, 'data');
  controller.abort();
  return failed.then(() => 'none', ({ code }) => code);
}

async function startOver(transport, options) {
  const peer = await serveBodies(transport);
  const agent = await transport.agentTo(peer);
  const req = http.get({ ...peer.address, agent, ...options });
  const { events } = record(req);
  const res = await responseTo(req);
  return { peer, agent, req, res, events };
}

describeTransports('stream.finished()', (transport) => {
  const start = (options) => startOver(transport, options);

  it('of a response comes with its end, and of a request with its close', async () => {
    const { req, res, agent } = await start();
    const [responseEnd, requestEnd] = [ended(res), ended(req)];
    res.resume();
    expect([await responseEnd, await requestEnd]).toEqual([undefined, undefined]);
    await untilIdle(agent);
  });

  it('of a response that is cut has its error', async () => {
    const { res } = await start({ path: '/cut' });
    const error = ended(res);
    res.resume();
    expect(await error).toMatchObject({ code: 'ECONNRESET', message: 'aborted' });
  });

  it('of a request that fails has its error', async () => {
    const peer = await transport.serve((req, res) => res.socket.destroy());
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    expect(await ended(req)).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' });
  });

  it('of a response that is destroyed tells that it was too early', async () => {
    const { res, peer } = await start({ path: '/endless' });
    const error = ended(res);
    res.destroy();
    expect(await error).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|ERR_STREAM_PREMATURE_CLOSE)$/) });
    await untilNoConnections(peer);
  });
});

describeTransports('stream.pipeline()', (transport) => {
  const start = (options) => startOver(transport, options);

  it('carries a response into a file, through a transform', async () => {
    const content = pseudoRandomBytes(1 << 20);
    const peer = await transport.serve((req, res) => res.end(gzipSync(content)));
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-')), 'file');
    cleanUp(() => fs.rmSync(path.dirname(file), { recursive: true }));
    const res = await responseTo(http.get({ ...peer.address, agent: await transport.agentTo(peer) }));
    await new Promise((resolve, reject) => {
      pipeline(res, createGunzip(), fs.createWriteStream(file), (error) => (error ? reject(error) : resolve()));
    });
    expect(fs.readFileSync(file).equals(content)).toBe(true);
  });

  it('whose sink fails destroys the response and closes the connection', async () => {
    const { peer, agent, res, events } = await start({ path: '/endless' });
    const mine = new Error('disk full');
    let written = 0;
    const sink = new Writable({
      write(chunk, encoding, callback) {
        callback(++written > 3 ? mine : null);
      },
    });
    expect(await new Promise((resolve) => { pipeline(res, sink, resolve); })).toBe(mine);
    await untilNoConnections(peer);
    await untilPoolIsEmpty(agent);
    expect(res.destroyed).toBe(true);
    await until(() => events.includes('req close'));
    expect(events.filter((event) => event === 'res close' || event === 'req close')).toHaveLength(2);
  });

  it('of a response that is cut fails with its error', async () => {
    const { res } = await start({ path: '/cut' });
    const error = await new Promise((resolve) => { pipeline(res, new PassThrough().resume(), resolve); });
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('called off by a signal closes the connection', async () => {
    const { peer, res } = await start({ path: '/endless' });
    const code = await codeOfCalledOff(res);
    await untilNoConnections(peer);
    // Since releases of Node 24 what the response says of it comes first.
    const ofNode = await serveBodies({ serve });
    const req = nodeHttp.get({ ...ofNode.address, path: '/endless', agent: false }).on('error', () => {});
    expect(code).toBe(await codeOfCalledOff(await responseTo(req)));
    expect(['ABORT_ERR', 'ECONNRESET']).toContain(code);
  });

  it('from one request into another is a proxy', async () => {
    const origin = await transport.serve((req, res) => req.pipe(res));
    // The first piece that comes here has more of the body than a lent connection takes.
    const agent = await transport.agentTo(origin, undefined, true);
    const proxy = await transport.serve((req, res) => {
      const onward = http.request({ ...origin.address, method: req.method, agent });
      onward.on('response', (answer) => pipeline(answer, res, () => {}));
      pipeline(req, onward, () => {});
    });
    const sent = pseudoRandomBytes(300000);
    const req = http.request({ ...proxy.address, method: 'POST', agent: transport.newAgent() }).end(sent);
    expect((await bytesOf(await responseTo(req))).equals(sent)).toBe(true);
  });
});

describeTransports('a response as a Readable', (transport) => {
  const start = (options) => startOver(transport, options);

  const shout = () => new Transform({
    transform: (chunk, encoding, callback) => callback(null, String(chunk).toUpperCase()),
  });

  it('has compose(), map(), take(), toArray() and toWeb()', async () => {
    expect(String(await bytesOf((await start()).res.compose(shout())))).toBe('WHOLE');
    const mapped = (await start()).res.map((chunk) => chunk.length);
    expect(await mapped.toArray()).toEqual([5]);
    const { res, peer } = await start({ path: '/endless' });
    const [first] = await res.take(1).toArray();
    expect(first.length).toBeGreaterThan(0);
    await untilNoConnections(peer);
    const web = Readable.toWeb((await start()).res);
    expect(await new Response(web).text()).toBe('whole');
  });

  it('is destroyed by a loop that is left', async () => {
    for (const leave of ['break', 'throw', 'return']) {
      const { res, peer, agent } = await start({ path: '/endless' });
      const loop = async () => {
        for await (const chunk of res) {
          if (leave === 'throw') throw new Error('left');
          if (leave === 'return') return chunk;
          if (chunk) break;
        }
        return undefined;
      };
      await loop().catch(() => {});
      await until(() => res.destroyed);
      await untilNoConnections(peer);
      await untilPoolIsEmpty(agent);
    }
  });

  it('is not destroyed by iterator({ destroyOnReturn: false })', async () => {
    const { res, peer } = await start({ path: '/endless' });
    for await (const chunk of res.iterator({ destroyOnReturn: false })) {
      if (chunk) break;
    }
    await quiet();
    expect([res.destroyed, peer.sockets.size]).toEqual([false, 1]);
    for await (const chunk of res) {
      if (chunk) break;
    }
    await untilNoConnections(peer);
  });

  it('rejects its iteration with the error of a cut', async () => {
    const { res } = await start({ path: '/cut' });
    const chunks = [];
    const loop = async () => {
      for await (const chunk of res) chunks.push(String(chunk));
    };
    await expect(loop()).rejects.toMatchObject({ code: 'ECONNRESET', message: 'aborted' });
    expect(chunks).toEqual(['cut']);
  });

  it('is destroyed by Symbol.asyncDispose', async () => {
    const { res, peer } = await start({ path: '/endless' });
    await res[Symbol.asyncDispose]();
    expect(res.destroyed).toBe(true);
    await untilNoConnections(peer);
  });

  it('destroyed with an error tells it, as does the request', async () => {
    const { res, peer, events } = await start({ path: '/endless' });
    const mine = Object.assign(new Error('mine'), { code: 'EMINE' });
    const failed = once(res, 'error');
    res.destroy(mine);
    expect((await failed)[0]).toBe(mine);
    await untilNoConnections(peer);
    await until(() => events.includes('req close'));
    expect(events.filter((event) => event.includes('error'))).toEqual(['req error EMINE', 'res error EMINE']);
  });

  it('destroyed when it is whole leaves the connection to others', async () => {
    const { res, agent } = await start();
    await bytesOf(res);
    res.destroy();
    await untilIdle(agent);
    expect(poolOf(agent).freeSockets).toBe(1);
  });
});

describe('captureRejections', () => {
  /** Prints what becomes of a request whose listener of an event is an async function that fails. */
  function printRejections(module, { event }) {
    require('node:events').captureRejections = true;
    const server = require('node:http').createServer((req, res) => res.end('body'));
    server.listen(0, '127.0.0.1', () => {
      const log = (name) => (error) => console.log(name, error?.message ?? '');
      const fails = async () => { throw new Error('rejected'); };
      const req = module.get({ port: server.address().port, host: '127.0.0.1', agent: new module.Agent() });
      req.on('error', log('req error')).on('close', () => {
        console.log('req close');
        server.close();
      });
      if (event === 'response' || event === 'socket') req.on(event, fails);
      req.on('response', (res) => {
        res.on('error', log('res error')).on('close', log('res close'));
        if (event === 'data') res.on('data', fails);
        else res.resume();
      });
    });
  }

  it.each([
    ['socket', ['req error rejected', 'req close']],
    // Since Node 26 the response to a whole exchange cannot be stopped any more.
    ['response', [...(sparesWholeExchange() ? [] : ['req error rejected']), 'req close', 'res close']],
    ['data', ['req close', 'res close']],
  ])("in a listener of '%s' destroys the request, as long as there is something to stop", async (event, expected) => {
    const { stdout, stderr } = await runScript(printRejections, { args: { event } });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n').map((line) => line.trim()).sort()).toEqual([...expected].sort());
  });
});
