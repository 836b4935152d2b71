'use strict';

/**
 * req.destroy(error) in the last 'data' of a keep-alive response: node:http has taken its listeners off the socket by
 * then, so that the error becomes an uncaught exception although the request has an 'error' listener; and with bytes
 * behind the message 'error' comes twice. Here nothing is uncaught, and 'error' comes once at most.
 */

const { sparesWholeExchange } = require('../../lib/node/behaviour');
const { itOurs, serveRaw, runScript } = require('../support');

/** Asks in a process of its own, destroys the request in that event, and writes down what happened. */
function destroyIn(module, { address, stage, keepAlive, viaStream }) {
  const seen = { errors: [], uncaught: [], closes: 0 };
  process.on('uncaughtException', (error) => seen.uncaught.push(error.code || error.message));
  const agent = new module.Agent({ keepAlive });
  if (viaStream) agent.createConnection = (...args) => require('node:net').createConnection(...args);
  const req = module.get({ ...address, agent });
  const destroy = () => req.destroy(new Error('mine'));
  req.on('response', (res) => {
    let left = 5;
    res.on('data', (chunk) => {
      left -= chunk.length;
      if (left === 0 && stage === 'data') destroy();
      if (left === 0 && stage === 'data, a tick later') process.nextTick(destroy);
      if (left === 0 && stage === 'data, a promise job later') Promise.resolve().then(destroy);
    });
    res.on('end', () => stage === 'end' && destroy());
    res.on('error', () => {});
    if (stage === 'response') destroy();
    // A second connection tells the server that the response flows, for what it may have left.
    setImmediate(() => require('node:net').connect(address).on('error', () => {}).unref());
  });
  req.on('error', (error) => seen.errors.push(error.code || error.message));
  req.on('close', () => seen.closes++);
  process.on('exit', () => process.stdout.write(JSON.stringify(seen)));
  // No connection may be left that keeps the process: its end is the end of the test.
  req.on('close', () => setTimeout(() => agent.destroy(), 20));
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
const CLOSING = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/**
 * @returns what was heard when the request was destroyed in that event of an answer of these bytes; of two segments the
 *   second is sent when the first has been understood
 */
async function heard(stage, bytes, viaStream) {
  const [first, second] = [bytes].flat();
  const peer = await serveRaw((socket, index) => {
    socket.on('error', () => {});
    if (index === 0) socket.once('data', () => socket.write(first));
    else if (second) peer.accepted[0].write(second);
  });
  const { stdout, stderr, code } = await runScript(destroyIn,
    { args: { address: peer.address, stage, keepAlive: true, viaStream } });
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return JSON.parse(stdout);
}

describe.each([['a connection', false], ['a stream', true]])('req.destroy(error) over %s', (_transport, viaStream) => {
  itOurs.each([
    ["'data'", 'data', `${HEAD}hello`],
    ["'data' in chunks", 'data', `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`],
    ["'data' in a segment of its own, with bytes behind a response that closes", 'data', [CLOSING, 'hellojunk']],
  ])('in the last %s is heard once and never uncaught', async (what, stage, bytes) => {
    const { uncaught, errors, closes } = await heard(stage, bytes, viaStream);
    expect(uncaught).toEqual([]);
    expect(closes).toBe(1);
    // Where nothing is done when both messages are whole, there is no error.
    const mayBeNone = sparesWholeExchange() && !what.includes('closes');
    expect(errors).toEqual(mayBeNone ? expect.any(Array) : [expect.any(String)]);
    expect(errors.length).toBeLessThanOrEqual(1);
  });

  // These node:http does right.
  it.each([
    ["a tick after the last 'data'", 'data, a tick later', `${HEAD}hello`],
    ["a promise job after the last 'data'", 'data, a promise job later', `${HEAD}hello`],
    ["in the last 'data' in a segment of its own", 'data', [HEAD, 'hello']],
    ["in the last 'data' with bytes behind it", 'data', `${HEAD}hellojunk`],
    ["in the last 'data' with another response behind it", 'data', `${HEAD}hello${HEAD}hello`],
    ["in 'end'", 'end', `${HEAD}hello`],
    ["in 'end' with bytes behind it", 'end', `${HEAD}hellojunk`],
    ["in 'response'", 'response', `${HEAD}hello`],
  ])('%s is never uncaught, and heard once at most', async (_what, stage, bytes) => {
    const { uncaught, errors, closes } = await heard(stage, bytes, viaStream);
    expect(uncaught).toEqual([]);
    expect(errors.length).toBeLessThanOrEqual(1);
    expect(closes).toBe(1);
    if (stage === 'response') expect(errors).toEqual(['mine']);
  });
});
