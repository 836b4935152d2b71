'use strict';

/** Bodies of which the I/O thread reads whole pieces into the memory that users then get. */

const { once } = require('node:events');
const {
  bytesOf, describeNative, http, newAgent, pseudoRandomBytes, responseTo, ROOT, runScript, serve, until,
} = require('../support');

const { describeTransports } = require('../support/transports');

const BODY = pseudoRandomBytes(3_000_001);
const PIECE = 64 * 1024;

/** A server of one body, framed as the path says. */
function serveBody() {
  return serve((req, res) => {
    if (req.url === '/length') res.setHeader('Content-Length', BODY.length);
    if (req.url === '/close') res.useChunkedEncodingByDefault = false;
    res.write(BODY.subarray(0, 1_000_000));
    res.end(BODY.subarray(1_000_000));
  });
}

async function startGet(peer, agent, path = '/length') {
  const req = http.get({ ...peer.address, agent, path });
  return responseTo(req);
}

describe('a large body', () => {
  it.each(['/length', '/chunked', '/close'])('arrives whole in many at a time, framed by %s', async (path) => {
    const peer = await serveBody();
    const agent = newAgent({ keepAlive: true, maxSockets: 6 });
    const get = async () => bytesOf(await startGet(peer, agent, path));
    const bodies = await Promise.all(Array.from({ length: 18 }, get));
    for (const body of bodies) expect(body.equals(BODY)).toBe(true);
  });

  it('arrives whole at readers that pause', async () => {
    const peer = await serveBody();
    const agent = newAgent({ keepAlive: true, maxSockets: 4 });
    let pauses = 0;
    const bodies = await Promise.all(Array.from({ length: 8 }, async (_, index) => {
      const res = await startGet(peer, agent);
      const chunks = [];
      res.on('data', (chunk) => {
        chunks.push(chunk);
        if (chunks.length % (index + 2) !== 0) return;
        pauses++;
        res.pause();
        setImmediate(() => setImmediate(() => res.resume()));
      });
      await once(res, 'end');
      return Buffer.concat(chunks);
    }));
    expect(pauses).toBeGreaterThan(40);
    for (const body of bodies) expect(body.equals(BODY)).toBe(true);
  });

  it('comes in pieces with memory of their own, which others do not change', async () => {
    const peer = await serveBody();
    const agent = newAgent({ keepAlive: true });
    const kept = [];
    for (let i = 0; i < 5; i++) {
      const res = await startGet(peer, agent);
      const chunks = [];
      for await (const chunk of res) {
        expect(chunk.length).toBeLessThanOrEqual(PIECE);
        // Whoever takes its memory away must not take others along.
        if (chunk.length === PIECE && chunks.length % 2 === 0) {
          chunks.push(Buffer.from(structuredClone(chunk.buffer, { transfer: [chunk.buffer] })));
        } else {
          chunks.push(chunk);
        }
      }
      kept.push(chunks);
    }
    for (const chunks of kept) expect(Buffer.concat(chunks).equals(BODY)).toBe(true);
    const whole = kept.flat().filter((chunk) => chunk.length === PIECE);
    expect(whole.length).toBeGreaterThan(20);
    for (const chunk of whole) expect(chunk.buffer.byteLength).toBe(PIECE);
    expect(new Set(whole.map((chunk) => chunk.buffer)).size).toBe(whole.length);
  });

  it('does not suffer from others that are called off in the middle', async () => {
    const peer = await serveBody();
    const agent = newAgent({ keepAlive: true, maxSockets: 8 });
    const whole = Array.from({ length: 12 }, async () => bytesOf(await startGet(peer, agent)));
    const called = Array.from({ length: 40 }, async (_, index) => {
      const res = await startGet(peer, agent);
      let left = index % 7;
      res.on('data', () => { if (left-- <= 0) res.destroy(); });
      await once(res, 'close');
    });
    await Promise.all(called);
    for (const body of await Promise.all(whole)) expect(body.equals(BODY)).toBe(true);
  });
});

describeNative('the memory that large bodies are read into', () => {
  it('bounds what waits for a reader that does not read', async () => {
    const peer = await serve((req, res) => {
      const piece = Buffer.alloc(1_000_000, 'x');
      const more = () => { while (res.write(piece)); };
      res.on('drain', more);
      more();
    });
    const responses = await Promise.all(Array.from({ length: 4 }, () => startGet(peer, newAgent())));
    const before = http.stats().bytesIn;
    for (const res of responses) res.once('data', () => res.pause());
    // What comes before the pauses have got to the I/O thread, and then nothing.
    let last = -1;
    let same = 0;
    await until(() => {
      const { bytesIn } = http.stats();
      same = bytesIn === last ? same + 1 : 0;
      last = bytesIn;
      return same > 500;
    });
    expect(last - before).toBeLessThan(8 * 1024 * 1024);
    for (const res of responses) res.destroy();
  });

  it('is not lost where there is none to take its place', async () => {
    const { stdout } = await runScript(async (client) => {
      const { once } = require('node:events');
      const server = require('node:http').createServer((req, res) => {
        res.setHeader('Content-Length', 4_000_000);
        res.end(Buffer.alloc(4_000_000));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const agent = new client.Agent({ keepAlive: true });
      const get = async () => {
        const [res] = await once(client.get({ port: server.address().port, host: '127.0.0.1', agent }), 'response');
        let length = 0;
        res.on('data', (chunk) => { length += chunk.length; });
        await once(res, 'close');
        return length;
      };
      const whole = [await get()];
      const allocate = Buffer.allocUnsafeSlow;
      let thrown = 0;
      process.on('uncaughtException', () => thrown++);
      Buffer.allocUnsafeSlow = (size) => {
        if (size === 64 * 1024 && thrown < 20) throw new RangeError('no memory');
        return allocate(size);
      };
      // As much of it as there is memory for.
      await get();
      whole.push(await get());
      console.log(thrown, ...whole);
      process.exit();
    });
    expect(stdout).toBe('20 4000000 4000000\n');
  });

  it('is not laid out for smaller bodies that come one at a time', async () => {
    const { stdout } = await runScript(async (client) => {
      const { once } = require('node:events');
      const server = require('node:http').createServer((req, res) => res.end(Buffer.alloc(20_000)));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const agent = new client.Agent({ keepAlive: true, maxSockets: 5 });
      const get = async () => {
        const [res] = await once(client.get({ port: server.address().port, host: '127.0.0.1', agent }), 'response');
        await once(res.resume(), 'close');
      };
      const allocate = Buffer.allocUnsafeSlow;
      let laid = 0;
      Buffer.allocUnsafeSlow = (size) => {
        if (size === 64 * 1024) laid++;
        return allocate(size);
      };
      const atOnce = async (count) => {
        laid = 0;
        await Promise.all(Array.from({ length: count }, get));
        // The memory goes back in between.
        for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => { setImmediate(resolve); });
        return laid;
      };
      await get();
      let alone = 0;
      for (let i = 0; i < 20; i++) alone += await atOnce(1);
      console.log(alone, await atOnce(60));
      process.exit();
    });
    expect(stdout).toBe('0 8\n');
  });

  it('may go with its worker at any time', async () => {
    const result = await runScript(async (client, { path }) => {
      const { Worker } = require('node:worker_threads');
      const piece = Buffer.alloc(1_000_000, 'x');
      const server = require('node:http').createServer((req, res) => {
        const more = () => { while (!res.destroyed && res.write(piece)); };
        res.on('drain', more).on('error', () => {});
        more();
      });
      server.listen(0, '127.0.0.1');
      await require('node:events').once(server, 'listening');
      const { port } = server.address();
      const source = `
        const { get } = require(${JSON.stringify(path)});
        const { parentPort } = require('node:worker_threads');
        let count = 0;
        for (let i = 0; i < 3; i++) {
          get({ host: '127.0.0.1', port: ${port}, agent: false }, (res) => res.on('data', () => {
            if (++count === 30) parentPort.postMessage('under way');
          }));
        }`;
      for (let i = 0; i < 10; i++) {
        const worker = new Worker(source, { eval: true });
        await require('node:events').once(worker, 'message');
        await worker.terminate();
      }
      console.log('alive');
      process.exit();
    }, { args: { path: ROOT }, timeout: 60000 });
    expect(result).toMatchObject({ code: 0, stdout: 'alive\n' });
  });
});

describeTransports('bodies of some tens of KiB', (transport) => {
  it('come whole, in memory of their own, one and many at a time', async () => {
    // Around the sizes from which a piece goes another way, with two framings.
    const sizes = [9_000, 16_383, 16_384, 17_000, 40_000, 65_200, 65_536, 70_000, 150_000];
    const peer = await transport.serve((req, res) => {
      const size = Number(req.url.slice(2));
      if (req.url[1] === 'l') res.setHeader('Content-Length', size);
      res.end(BODY.subarray(0, size));
    });
    const agent = await transport.agentTo(peer, { maxSockets: 5 });
    const get = async (path) => {
      const chunks = [];
      for await (const chunk of await startGet(peer, agent, path)) chunks.push(chunk);
      return chunks;
    };
    const paths = sizes.flatMap((size) => [`/l${size}`, `/c${size}`]);
    const oneAtATime = [];
    for (const path of paths) oneAtATime.push(await get(path));
    for (const bodies of [oneAtATime, await Promise.all(paths.map(get)), await Promise.all(paths.map(get))]) {
      for (const [index, chunks] of bodies.entries()) {
        const size = Number(paths[index].slice(2));
        expect(Buffer.concat(chunks).equals(BODY.subarray(0, size))).toBe(true);
        if (transport.isStream) continue;
        for (const chunk of chunks) expect(chunk.buffer.byteLength).toBe(chunk.length);
      }
    }
  });
});
