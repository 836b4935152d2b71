'use strict';

/**
 * When the decoder of a stream has panicked: what the JavaScript side makes of the record that says so. That a panic
 * leads to the record is proven in Rust, where a test can ask for one.
 */

const { Duplex } = require('node:stream');

const binding = require('../../binding');

/** Calls of decoders that panic; the others work. */
const mockPanics = new Set();

jest.mock('../../binding', () => ({
  ...binding,
  StreamDecoder: class extends binding.StreamDecoder {
    begin(...args) {
      return mockPanic('begin', args[1]) ?? super.begin(...args);
    }

    execute(...args) {
      return mockPanic('execute', args[1]) ?? super.execute(...args);
    }

    finish(...args) {
      return mockPanic('finish', args[0]) ?? super.finish(...args);
    }
  },
}));

/** Gives the record of a panic, if this call is to panic. */
function mockPanic(name, out) {
  const { HEADER_SIZE, event } = require('../../lib/bridge/records');
  if (!mockPanics.has(name)) return undefined;
  out.writeInt32LE(event.FAILED, 0);
  out.writeInt32LE(0, 4);
  out.writeInt32LE(0, 8);
  return HEADER_SIZE;
}

const { describeOurs, http, responseTo, untilPoolIsEmpty } = require('../support');
const { describeTransports } = require('../support/transports');

const HEAD = 'HTTP/1.1 200 OK\r\n';

describeTransports('a panic of the decoder', (transport) => {
  afterEach(() => mockPanics.clear());

  /** Makes a request that the peer answers in these pieces. Gives what the user hears. */
  async function outcomeOf(agent, peer) {
    const heard = [];
    await new Promise((resolve) => {
      const req = http.get({ ...peer.address, agent }, (res) => {
        heard.push('response');
        res.on('data', (chunk) => heard.push(String(chunk)));
        res.on('error', (error) => heard.push(`res ${error.code}`)).on('end', () => heard.push('end'));
        res.on('aborted', () => heard.push('aborted')).on('close', resolve);
      });
      req.on('error', (error) => heard.push(`req ${error.code}`) && resolve());
    });
    return heard;
  }

  it('before the response fails the request, and the next one works', async () => {
    const peer = await transport.serveAnswer(`${HEAD}Content-Length: 4\r\n\r\nbody`);
    const agent = transport.newAgent({ keepAlive: true });
    mockPanics.add('begin');
    expect(await outcomeOf(agent, peer)).toEqual(['req ERR_FERREQUEST_IO_THREAD']);
    await untilPoolIsEmpty(agent);
    mockPanics.clear();
    expect(await responseTo(http.get({ ...peer.address, agent }))).toMatchObject({ statusCode: 200 });
  });

  it('at the end of the stream completes no response', async () => {
    const peer = await transport.serveAnswer(`${HEAD}\r\nbody`, { end: true });
    const agent = transport.newAgent();
    mockPanics.add('finish');
    expect(await outcomeOf(agent, peer)).toEqual(['response', 'body', 'aborted', 'res ECONNRESET']);
    await untilPoolIsEmpty(agent);
  });
}, ({ isStream }) => isStream);

describeOurs('a panic of the decoder in the middle of a body', () => {
  it('is an error of the socket, as with Node', async () => {
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, callback) => callback() });
    const heard = [];
    const req = http.get({ createConnection: () => stream }, (res) => {
      res.on('data', (chunk) => {
        heard.push(String(chunk));
        mockPanics.add('execute');
        stream.push('dy');
      });
      res.on('error', (error) => heard.push(error.code)).on('end', () => heard.push('end'));
    });
    req.on('error', (error) => heard.push(`req ${error.code}`));
    stream.push(`${HEAD}Content-Length: 4\r\n\r\nbo`);
    await new Promise((resolve) => { req.on('close', resolve); });
    mockPanics.clear();
    expect(heard).toEqual(['bo', 'req ERR_FERREQUEST_IO_THREAD', 'ECONNRESET']);
  });
});
