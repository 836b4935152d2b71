'use strict';

/**
 * A peer cannot make the client hold an endless header. The limit is that of Node: 16 KiB (maxHeaderSize) of reason
 * phrase, header names and header values, for the header, for the trailers, and for each interim response on its own.
 */

const {
  http, serve, serveRaw, newAgent, exchange, runScript, serveAnswer, untilPoolIsEmpty, responseTo,
} = require('../support');
const { describeDeliveries } = require('../support/transports');

const OVERFLOW = { code: 'HPE_HEADER_OVERFLOW', reason: 'Header overflow', message: 'Parse Error: Header overflow' };
const a = (length) => 'a'.repeat(length);
const NO_CONTENT = 'HTTP/1.1 204 OK\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

describeDeliveries('a header', (receive) => {
  it.each([
    ['in a value', (length) => `${NO_CONTENT}X: ${a(length)}\r\n\r\n`, 16380],
    ['in a name', (length) => `${NO_CONTENT}${a(length)}: x\r\n\r\n`, 16380],
    ['in the reason phrase', (length) => `HTTP/1.1 204 ${a(length)}\r\n\r\n`, 16383],
    ['in many lines', (count) => `${NO_CONTENT}${'X: y\r\n'.repeat(count)}\r\n`, 8190],
    ['in space after a value', (length) => `${NO_CONTENT}X:y${' '.repeat(length)}\r\n\r\n`, 16379],
  ])('has its 16 KiB %s, and one byte more is an error', async (_where, make, most) => {
    const { error, res } = await receive(make(most));
    expect(error).toBeUndefined();
    expect(res.statusCode).toBe(204);
    expect((await receive(make(most + 1))).error).toMatchObject(OVERFLOW);
  });

  it('has 16 KiB in the trailers too', async () => {
    const trailers = (length) => `${CHUNKED}0\r\nX: ${a(length)}\r\n\r\n`;
    const { error, res } = await receive(trailers(16382));
    expect(error).toBeUndefined();
    expect(res.trailers.x).toHaveLength(16382);
    const over = await receive(trailers(16383));
    expect(over.error).toMatchObject(OVERFLOW);
    expect(over.res.complete).toBe(false);
  });

  it('has 16 KiB anew after an interim response', async () => {
    const interim = `HTTP/1.1 103 Early Hints\r\nX: ${a(16000)}\r\n\r\n`;
    const { error, res } = await receive(`${interim}${interim}${NO_CONTENT}X: ${a(16000)}\r\n\r\n`);
    expect(error).toBeUndefined();
    expect(res.statusCode).toBe(204);
  });

  it.each([
    ['smaller', 100, 96],
    ['larger', 40_000, 39_996],
    ['0, which is the default', 0, 16380],
  ])('has the limit of maxHeaderSize: %s', async (_what, maxHeaderSize, most) => {
    const header = (length) => `${NO_CONTENT}X: ${a(length)}\r\n\r\n`;
    expect((await receive(header(most), { maxHeaderSize })).error).toBeUndefined();
    expect((await receive(header(most + 1), { maxHeaderSize })).error).toMatchObject(OVERFLOW);
  });
});

describe('an endless header', () => {
  it('is stopped at the limit, and not when memory is full', async () => {
    let sent = 0;
    const line = Buffer.from(`X: ${a(1000)}\r\n`);
    const peer = await serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const pump = () => {
        while (!socket.destroyed) {
          sent += line.length;
          if (!socket.write(line)) return;
        }
      };
      socket.on('drain', pump);
      socket.on('error', () => {});
      pump();
    });
    const agent = newAgent();
    await expect(exchange({ ...peer.address, agent })).rejects.toMatchObject(OVERFLOW);
    await untilPoolIsEmpty(agent);
    // What the buffers of two kernels' ends may hold, far less than endless.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });
});

describe('the number of headers', () => {
  const lines = Array.from({ length: 2500 }, (_, index) => `${index}:\r\n`).join('');
  const many = `HTTP/1.1 200 OK\r\n${lines}Content-Length: 0\r\n\r\n`;

  it('that are kept is 1000 unless told otherwise', async () => {
    const peer = await serveAnswer(many, { end: true });
    const { res } = await exchange({ ...peer.address, agent: newAgent() });
    expect(Object.keys(res.headers)).toHaveLength(1000);
  });

  it.each([[100, 100], [0, 2501]])('that are kept is maxHeadersCount: %i', async (maxHeadersCount, expected) => {
    const peer = await serveAnswer(many, { end: true });
    const req = http.get({ ...peer.address, agent: newAgent() });
    req.maxHeadersCount = maxHeadersCount;
    const res = await responseTo(req);
    res.resume();
    expect(Object.keys(res.headers)).toHaveLength(expected);
  });
});

describe('node --max-http-header-size', () => {
  it('is the default limit of the process', async () => {
    const peer = await serveAnswer(`${NO_CONTENT}X: ${a(30_000)}\r\n\r\n`);
    const ask = (module, address) => {
      module.get(address, (res) => process.stdout.write(`${module.maxHeaderSize} ${res.resume().headers.x.length}`))
        .on('error', (error) => process.stdout.write(`${module.maxHeaderSize} ${error.code}`));
    };
    const outputs = await Promise.all([40_000, 20_000].map(async (limit) => (await runScript(ask, {
      args: { ...peer.address, agent: false }, execArgv: [`--max-http-header-size=${limit}`],
    })).stdout));
    expect(outputs).toEqual(['40000 30000', '20000 HPE_HEADER_OVERFLOW']);
  });
});

it('a header that overflows leaves the agent as good as new', async () => {
  const agent = newAgent({ keepAlive: true, maxSockets: 1 });
  const bad = await serveAnswer(`${NO_CONTENT}X: ${a(20_000)}\r\n\r\n`);
  const good = await serve((req, res) => res.end('fine'));
  for (let i = 0; i < 5; i++) {
    await expect(exchange({ ...bad.address, agent })).rejects.toMatchObject(OVERFLOW);
    expect((await exchange({ ...good.address, agent })).body.toString()).toBe('fine');
  }
  agent.destroy();
  await untilPoolIsEmpty(agent);
});
