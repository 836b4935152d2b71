'use strict';

/**
 * A peer cannot fill the memory of a client (CWE-400, CWE-770): not with what has no end, nor with lengths that it only
 * says, nor with small pieces while JavaScript is busy.
 */

const { Worker } = require('node:worker_threads');
const {
  http, cleanUp, isOracle, record, responseTo, until, untilPoolIsEmpty,
} = require('../support');
const certificates = require('../support/certificates');
const { describeTransports } = require('../support/transports');

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const MIB = 1024 * 1024;

/** Bytes that two kernels may hold of what nobody reads, and much less than without end. */
const MOST_UNREAD = 48 * MIB;

/** Writes the same bytes as often as they are taken. */
function pump(socket, bytes, onSent) {
  const more = () => {
    while (!socket.destroyed) {
      onSent(bytes.length);
      if (!socket.write(bytes)) return;
    }
  };
  socket.on('error', () => {}).on('drain', more);
  more();
}

describeTransports('a message without end', (transport) => {
  it.each([
    ['header fields', OK, 'X: y\r\n', 'HPE_HEADER_OVERFLOW'],
    ['a header name', OK, 'x', 'HPE_HEADER_OVERFLOW'],
    ['a header value', `${OK}X: `, 'y', 'HPE_HEADER_OVERFLOW'],
    ['space behind a header value', `${OK}X: y`, ' ', 'HPE_HEADER_OVERFLOW'],
    ['a reason phrase', 'HTTP/1.1 200 ', 'r', 'HPE_HEADER_OVERFLOW'],
    ['a version', 'HTTP/', '1', 'HPE_INVALID_VERSION'],
    ['a status', 'HTTP/1.1 2', '0', 'HPE_INVALID_STATUS'],
    ['a Content-Length', `${OK}Content-Length: `, '0', 'HPE_HEADER_OVERFLOW'],
    ['fields of an interim response', 'HTTP/1.1 103 Early Hints\r\n', 'X: y\r\n', 'HPE_HEADER_OVERFLOW'],
    ['trailers', `${CHUNKED}0\r\n`, 'X: y\r\n', 'HPE_HEADER_OVERFLOW'],
    ['the name of a chunk extension', `${CHUNKED}1;`, 'e', 'HPE_CHUNK_EXTENSIONS_OVERFLOW'],
    ['the value of a chunk extension', `${CHUNKED}1;e="`, 'v', 'HPE_CHUNK_EXTENSIONS_OVERFLOW'],
    ['chunk extensions', `${CHUNKED}1`, ';e=v', 'HPE_CHUNK_EXTENSIONS_OVERFLOW'],
  ])('is stopped at the limit of %s', async (_what, beginning, repeated, code) => {
    let sent = 0;
    const bytes = Buffer.from(repeated.repeat(Math.ceil(20_000 / repeated.length)));
    const peer = await transport.serveRaw((socket) => {
      socket.once('data', () => {
        socket.write(beginning);
        pump(socket, bytes, (count) => { sent += count; });
      });
    });
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent }, (res) => res.resume().on('error', () => {}));
    const error = await new Promise((resolve) => { req.on('error', resolve); });
    expect(error.code).toBe(code);
    await untilPoolIsEmpty(agent);
    expect(sent).toBeLessThan(MOST_UNREAD);
  });
});

describeTransports('a length that a peer only says', (transport) => {
  it.each([
    ['in Content-Length', `${OK}Content-Length: 9007199254740991\r\n\r\nx`],
    ['as a chunk size', `${CHUNKED}ffffffffffffff\r\nx`],
  ])('%s costs no memory', async (_where, bytes) => {
    const peer = await transport.serveAnswer(bytes);
    const agent = await transport.agentTo(peer);
    const before = process.memoryUsage();
    const req = http.get({ ...peer.address, agent });
    const res = await responseTo(req);
    res.on('error', () => {});
    await new Promise((resolve) => { res.once('data', resolve); });
    const { external, arrayBuffers } = process.memoryUsage();
    expect(external - before.external).toBeLessThan(8 * MIB);
    expect(arrayBuffers - before.arrayBuffers).toBeLessThan(8 * MIB);
    const { events } = record(req);
    req.destroy();
    await untilPoolIsEmpty(agent);
    expect(events).toContain('req close');
  });
});

describeTransports('what has no limit, because it holds nothing,', (transport) => {
  it('costs no memory', async () => {
    const { stdout, stderr } = await transport.runScript(async (ours, chunked, { serveRaw, agentTo }) => {
      const { runInNewContext } = require('node:vm');
      require('node:v8').setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc');
      const kinds = [
        // What is sent first, then without end; the MiB to warm up, to measure, and by which the process may grow.
        // V8 lets some 50 MiB of buffers gather before it first collects them: the warm-up is longer.
        ['lines before the status line', '', '\r\n', 96, 80, 56],
        ['zeros before a chunk size', chunked, '0', 96, 80, 56],
        ['extensions of small chunks', chunked, `1;${'e'.repeat(10_000)}\r\nx\r\n`, 96, 80, 56],
        ['interim responses', '', 'HTTP/1.1 102 Processing\r\n\r\n', 1, 4, 32],
      ];
      const mib = 1024 * 1024;
      async function grow(beginning, repeated, warmUp, measured) {
        const bytes = Buffer.from(repeated.repeat(Math.ceil(30_000 / repeated.length)));
        let taken = 0;
        let onTaken = () => {};
        const peer = await serveRaw((socket) => {
          const count = () => {
            taken += bytes.length;
            onTaken();
          };
          const more = () => {
            while (!socket.destroyed && socket.write(bytes, count)) { /* until the client is slower */ }
          };
          socket.on('drain', more).once('data', () => {
            if (beginning !== '') socket.write(beginning);
            more();
          });
        });
        const agent = await agentTo(peer);
        const req = ours.get({ ...peer.address, agent });
        req.on('error', () => {}).on('response', (res) => res.resume().on('error', () => {}));
        const until = (amount) => new Promise((resolve) => {
          onTaken = () => taken >= amount && resolve();
        });
        await until(warmUp * mib);
        gc();
        const before = process.memoryUsage.rss();
        await until((warmUp + measured) * mib);
        gc();
        const grown = process.memoryUsage.rss() - before;
        req.destroy();
        agent.destroy();
        peer.server.close();
        return grown / mib;
      }
      for (const [what, beginning, repeated, warmUp, measured, most] of kinds) {
        const grown = await grow(beginning, repeated, warmUp, measured);
        if (grown > most) console.log(`${what}: ${grown.toFixed(1)} MiB`);
      }
      console.log('measured');
    }, { args: CHUNKED, timeout: 60_000 });
    expect({ stdout, stderr }).toEqual({ stdout: 'measured\n', stderr: '' });
  });
});

/** A peer on a thread of its own: it sends without end while this thread is busy, and counts what it could send. */
async function serveFromThread(beginning, repeated, isTls) {
  const sent = new BigInt64Array(new SharedArrayBuffer(8));
  const worker = new Worker(`
    const { workerData: { beginning, bytes, credentials, sent }, parentPort } = require('node:worker_threads');
    const onConnection = (socket) => {
      const more = () => {
        while (!socket.destroyed) {
          Atomics.add(sent, 0, BigInt(bytes.length));
          if (!socket.write(bytes)) return;
        }
      };
      socket.on('error', () => {}).on('drain', more).once('data', () => {
        socket.write(beginning);
        more();
      });
    };
    const server = require(credentials ? 'node:tls' : 'node:net').createServer(credentials ?? {}, onConnection);
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  `, {
    eval: true,
    workerData: { beginning, bytes: repeated.repeat(2000), credentials: isTls ? certificates.local : null, sent },
  });
  cleanUp(() => worker.terminate());
  const port = await new Promise((resolve) => { worker.once('message', resolve); });
  const address = { host: '127.0.0.1', port, protocol: isTls ? 'https:' : 'http:' };
  return { address, sent: () => Number(Atomics.load(sent, 0)) };
}

/** Keeps this thread busy until nothing has been sent for a while, or too much. */
function stayBusyUntilStalled(sent) {
  const nap = new Int32Array(new SharedArrayBuffer(4));
  let last = -1;
  for (let still = 0; still < 10 && last < MOST_UNREAD;) {
    Atomics.wait(nap, 0, 0, 20);
    const now = sent();
    still = now === last ? still + 1 : 0;
    last = now;
  }
  return last;
}

// Where JavaScript reads, nobody does while it is busy.
describeTransports('while JavaScript is busy', ({ isTls, newAgent }) => {
  it.each([
    ['interim responses', '', 'HTTP/1.1 102 Processing\r\n\r\n'],
    ['interim responses of many fields', '', `HTTP/1.1 103 Early Hints\r\n${'a:\r\n'.repeat(100)}\r\n`],
    ['chunks of a byte', CHUNKED, '1\r\nx\r\n'],
    ['a body', `${OK}\r\n`, 'body'],
  ])('%s wait at the peer', async (_what, beginning, repeated) => {
    const peer = await serveFromThread(beginning, repeated, isTls);
    const agent = newAgent();
    const req = http.get({ ...peer.address, agent });
    req.on('error', () => {});
    let seen = 0;
    req.on('information', () => seen++);
    req.on('response', (res) => res.on('data', () => seen++).on('error', () => {}));
    await until(() => seen > 0);
    const before = peer.sent();
    expect(stayBusyUntilStalled(peer.sent) - before).toBeLessThan(MOST_UNREAD / 2);
    req.destroy();
    await untilPoolIsEmpty(agent);
  });
}, (kind) => !isOracle && !kind.isStream && !kind.isLent);
