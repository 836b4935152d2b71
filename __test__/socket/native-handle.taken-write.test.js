'use strict';

/** A read says that the kernel has the bytes that the callback of a write waits for. */

const { itNative, runScript } = require('../support');

/** Prints what happens to a request with more bytes than the kernel takes. Its write is over when something is read. */
function main(client) {
  const events = [];
  const server = require('node:net').createServer((peer) => {
    peer.on('error', () => {});
    peer.once('readable', () => peer.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  });
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    const req = client.request({ host: '127.0.0.1', port, agent: false, method: 'POST' });
    req.on('error', ({ code }) => events.push(code));
    req.on('response', () => events.push('response'));
    req.on('socket', (socket) => socket.on('connect', () => {
      const { writes } = socket._handle;
      writes.totalTaken = () => writes.written;
    }));
    req.write(Buffer.alloc(32 * 1024 * 1024), (error) => {
      events.push(error ? error.code : 'written');
      req.destroy();
    });
    // A response would come in the same turn of the event loop.
    req.on('close', () => setImmediate(() => setImmediate(() => {
      console.log(events.join());
      process.exit();
    })));
  });
}

describe('the callback of a write that a read has ended', () => {
  itNative('destroys the request before its response', async () => {
    const { stdout } = await runScript(main);
    expect(stdout).toBe('written,ECONNRESET\n');
  });
});
