'use strict';

/** A stream brings bytes and events while something that came before them waits. */

const { Duplex } = require('node:stream');
const { http, itOurs, newAgent, poolOf, until } = require('../support');

/** The client's end of a connection in memory: a test says what its peer sends. */
class Connection extends Duplex {
  // A pool asks these of a socket.
  setKeepAlive() {}

  setTimeout() {}

  ref() {}

  unref() {}

  _read() {}

  _write(chunk, encoding, callback) {
    callback();
  }
}

const EARLY_HINTS = 'HTTP/1.1 103 Early Hints\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/**
 * Makes a request on such a connection, and notes its events. The first 'information' calls `onFirst`.
 * @param {(connection: Connection) => void} onFirst
 */
async function begin(onFirst) {
  const connection = new Connection();
  const agent = newAgent({ keepAlive: true });
  agent.createConnection = () => connection;
  const events = [];
  const req = http.get({ host: 'localhost', agent });
  req.once('information', () => onFirst(connection));
  req.on('information', () => events.push('information'));
  req.on('response', (res) => {
    events.push('response');
    res.on('data', (chunk) => events.push(`data ${chunk}`)).on('end', () => events.push(`end ${res.complete}`));
    res.on('error', ({ code }) => events.push(`response error ${code}`));
  });
  req.on('upgrade', (res, socket, head) => events.push(`upgrade ${head}`));
  req.on('error', ({ message }) => events.push(`error ${message}`));
  req.on('close', () => events.push('close'));
  await until(() => req.writableFinished);
  return { agent, connection, events, req };
}

const throwing = () => {
  throw new Error('thrown');
};

/** Has the peer send bytes that make a listener throw: what it throws comes out where the stream gives its bytes. */
function pushThrowing(connection, bytes) {
  expect(() => connection.push(bytes)).toThrow('thrown');
}

describe('Behind a chunk in which a listener has thrown', () => {
  itOurs('comes the next chunk', async () => {
    const { connection, events, req } = await begin(throwing);
    pushThrowing(connection, EARLY_HINTS + EARLY_HINTS + OK.slice(0, -1));
    connection.push(OK.slice(-1));
    expect(events).toEqual([]);
    await until(() => req.closed);
    expect(events).toEqual(['information', 'response', 'data o', 'data k', 'end true', 'close']);
  });

  itOurs('comes an error of the stream', async () => {
    const { connection, events, req } = await begin(throwing);
    pushThrowing(connection, EARLY_HINTS + EARLY_HINTS + OK.slice(0, -1));
    connection.destroy(new Error('reset'));
    await until(() => req.closed);
    expect(events.filter((event) => !event.startsWith('data'))).toEqual([
      'information', 'response', 'error reset', 'close', 'response error ECONNRESET',
    ]);
    expect(req.res.complete).toBe(false);
  });

  itOurs('comes what follows an upgrade in later chunks', async () => {
    const { connection, events, req } = await begin(throwing);
    const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';
    pushThrowing(connection, `${EARLY_HINTS}${head}a`);
    connection.push('b');
    connection.push('c');
    await until(() => req.closed);
    expect(events).toEqual(['upgrade abc', 'close']);
  });

  itOurs('an answer that nobody has asked for is none to the next request', async () => {
    const { agent, connection, events, req } = await begin(throwing);
    pushThrowing(connection, EARLY_HINTS + OK);
    connection.push(OK.replace('ok', 'no'));
    await until(() => req.closed && connection.destroyed);
    expect(events).toEqual(['response', 'data ok', 'end true', 'close']);
    await until(() => poolOf(agent).freeSockets === 0);
  });
});

describe('A listener that makes its own stream go on', () => {
  // Node's parser aborts the process then.
  itOurs('gets what comes behind the chunk that it hears of', async () => {
    const { connection, events, req } = await begin((stream) => stream.push(OK));
    connection.push(EARLY_HINTS + EARLY_HINTS);
    await until(() => req.closed);
    expect(events).toEqual(['information', 'information', 'response', 'data ok', 'end true', 'close']);
  });

  itOurs('and throws then loses neither', async () => {
    const { connection, events, req } = await begin((stream) => {
      stream.push(OK);
      throwing();
    });
    pushThrowing(connection, EARLY_HINTS + EARLY_HINTS);
    await until(() => req.closed);
    expect(events).toEqual(['information', 'response', 'data ok', 'end true', 'close']);
  });
});
