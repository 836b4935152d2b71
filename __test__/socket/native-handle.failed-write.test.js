'use strict';

/** The kernel refuses bytes that users have been told are written: the peer has answered, and reset the connection. */

const { once } = require('node:events');
const { bytesOf, http, itOurs, newAgent, onRequestHead, responseTo, serveRaw } = require('../support');

describe('a write that fails behind its callback', () => {
  /** Makes a request whose socket hears of a failed write as soon as it is told to end. */
  async function failing(answer) {
    const { address } = await serveRaw((socket) => onRequestHead(socket, () => socket.write(answer)));
    const req = http.request({ ...address, agent: newAgent(), method: 'POST' });
    const errors = [];
    req.on('error', ({ code }) => errors.push(code));
    req.end('body');
    const [socket] = await once(req, 'socket');
    const { _handle: handle } = socket;
    const shutdown = handle.shutdown.bind(handle);
    handle.shutdown = (request) => {
      const outcome = shutdown(request);
      handle.onWriteError(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      return outcome;
    };
    return { req, socket, errors };
  }

  itOurs('is no error of a request whose response is whole, and whose socket ends', async () => {
    const { req, errors } = await failing('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
    const closed = once(req, 'close');
    expect(String(await bytesOf(await responseTo(req)))).toBe('ok');
    await closed;
    expect(errors).toEqual([]);
  });

  itOurs('is an error of a request that awaits its response', async () => {
    const { req, socket, errors } = await failing('HTTP/1.1 100 Continue\r\n\r\n');
    await once(req, 'continue');
    const closed = new Promise((resolve) => { req.on('close', resolve); });
    socket.end();
    await closed;
    expect(errors).toEqual(['EPIPE']);
  });
});
