'use strict';

/** The write window limits what is under way to the kernel, and decides when the callback of a write comes. */

const { once } = require('node:events');
const net = require('node:net');
const { cleanUp, describeOurs, http, itNative, newAgent, quiet, until } = require('../support');

const KIBIBYTE = 1024;
const PIECE = Buffer.alloc(64 * KIBIBYTE, 'w');

/** @returns {Promise<{ address: object, sockets: net.Socket[] }>} A peer that reads when it is told to. */
async function unwilling() {
  const sockets = [];
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
    cleanUp(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp(() => server.close());
  return { address: { host: '127.0.0.1', port: server.address().port }, sockets };
}

describe('A peer that reads nothing', () => {
  itNative('is written no more than 1 MiB that the kernel does not take', async () => {
    const { address, sockets } = await unwilling();
    const req = http.request({ ...address, agent: newAgent(), method: 'POST' });
    req.on('error', () => {});
    let drains = 0;
    const writeMore = () => {
      drains++;
      for (let goesOn = true; goesOn;) goesOn = req.write(PIECE);
    };
    req.on('drain', writeMore);
    writeMore();
    await until(() => sockets.length === 1);
    // Until the kernel's buffers are full, and nothing moves any more.
    await until(async () => {
      const before = drains;
      await quiet(50);
      return drains === before;
    });
    const unsent = req.socket.bytesWritten - http.stats().bytesOut;
    expect(unsent).toBeGreaterThan(0);
    expect(unsent).toBeLessThanOrEqual(1024 * KIBIBYTE + 2 * PIECE.length);
    req.destroy();
  });
});

describeOurs('The window', () => {
  const { ASK_AFTER, windowSize } = require('../../lib/socket/write-window');

  it('is as large as what the kernel has taken before, from 256 KiB to 1 MiB', () => {
    const sizes = [0, 256, 300, 1024, 5000].map((taken) => windowSize(taken * KIBIBYTE) / KIBIBYTE);
    expect(sizes).toEqual([256, 256, 300, 1024, 1024]);
  });

  it('moves on before it is full', () => {
    expect(ASK_AFTER).toBeLessThanOrEqual(windowSize(0) / 2);
  });
});
