'use strict';

/** Bytes that no request asked for may wait in the kernel when a request gets an idle connection. */

const { once } = require('node:events');
const { hasPendingRead } = require('../../lib/bridge/bridge');
const { until } = require('../support');
const { https, newTlsAgent, serveRawTls } = require('../support/tls');

const responseTo = (body) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

it('a request gets an answer of its own where bytes wait on an idle connection', async () => {
  const peer = await serveRawTls((socket) => {
    socket.on('data', () => socket.write(responseTo('asked for')));
  });
  const agent = newTlsAgent({ keepAlive: true });
  const get = async (options) => {
    const req = https.get({ ...peer.address, agent, ...options });
    const [res] = await once(req, 'response');
    const body = String(Buffer.concat(await res.toArray()));
    return { body, req, socket: req.socket };
  };
  const { req, socket } = await get();
  await until(() => req.destroyed);
  const { fd } = socket._handle;
  socket.pause();
  // The I/O thread takes commands in their order: when this exchange is over, it has paused.
  await get({ agent: newTlsAgent({}) });
  peer.accepted[0].write(responseTo('unasked'));
  await until(() => hasPendingRead(fd));
  expect(await get()).toMatchObject({ body: 'asked for' });
});
