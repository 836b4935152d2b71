'use strict';

/** A socket with TLS that Node has again after an upgrade. */

const { once } = require('node:events');
const { cleanUp, until } = require('../support');
const { certificates, https, newTlsAgent, serveRawTls } = require('../support/tls');
const { expectAsNode } = require('../support/tls-observer');
const { serveRecords } = require('../support/tls-records');

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

  it.each([[10], [3000], [16000]])('tells one error of a damaged record before others of %i bytes', async (size) => {
    const peer = await serveRecords(async (connection) => {
      await connection.request();
      const head = connection.data(`${HEAD}head`);
      const damaged = Buffer.from(connection.data('damaged'));
      damaged[damaged.length - 1] ^= 1;
      await connection.send(head, damaged, ...Array.from({ length: 3 }, () => connection.data('x'.repeat(size))));
      connection.socket.end();
    }, { maxVersion });
    cleanUp(peer.close);
    const headers = { connection: 'upgrade', upgrade: 'echo' };
    const { errors, head } = await expectAsNode(async (module) => {
      const req = module.get({ ...peer.address, ca: certificates.ca, agent: false, headers });
      const [, socket, first] = await once(req, 'upgrade');
      const codes = [];
      socket.resume().on('error', ({ code }) => codes.push(code)).on('end', () => codes.push('end'));
      await new Promise((resolve) => { socket.once('close', resolve); });
      return { errors: codes, head: String(first) };
    });
    expect([errors.length, errors[1], head]).toEqual([2, 'end', 'head']);
  });
});
