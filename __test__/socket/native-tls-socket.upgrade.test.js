'use strict';

/** A socket with TLS that Node has again after an upgrade. */

const { once } = require('node:events');
const { until } = require('../support');
const { https, newTlsAgent, serveRawTls } = require('../support/tls');

const HEAD = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n';

describe.each([['TLSv1.2'], ['TLSv1.3']])('an upgraded socket with %s', (maxVersion) => {
  it('goes on counting its bytes', async () => {
    const peer = await serveRawTls((socket) => {
      socket.once('data', () => {
        socket.write(`${HEAD}head`);
        socket.pipe(socket);
      });
    }, { maxVersion });
    const headers = { connection: 'upgrade', upgrade: 'echo' };
    const req = https.get({ ...peer.address, agent: newTlsAgent(), headers });
    const [, socket, head] = await once(req, 'upgrade');
    const [{ bytesRead, bytesWritten }] = peer.accepted;
    expect([String(head), socket.bytesRead, socket.bytesWritten]).toEqual(['head', bytesWritten, bytesRead]);

    let echo = '';
    socket.on('data', (chunk) => { echo += chunk; });
    socket.write('hello');
    await until(() => echo === 'hello', 'the echo');
    expect([socket.bytesRead, socket.bytesWritten]).toEqual([bytesWritten + 5, bytesRead + 5]);
    socket.destroy();
  });

  it("has 'end' after the turn of 'upgrade' when the peer ends behind the response", async () => {
    const peer = await serveRawTls((socket) => socket.once('data', () => socket.end(HEAD)), { maxVersion });
    const headers = { connection: 'upgrade', upgrade: 'echo' };
    // Now and then the end comes in one read with the response.
    for (let i = 0; i < 50; i++) {
      const req = https.get({ ...peer.address, agent: newTlsAgent(), headers });
      const [, socket] = await once(req, 'upgrade');
      let ended = false;
      socket.once('end', () => { ended = true; });
      socket.resume();
      await once(socket, 'close');
      expect(ended).toBe(true);
    }
  });
});
