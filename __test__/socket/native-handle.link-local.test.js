'use strict';

/** Link-local addresses need a zone (RFC 4007). As by the libuv of Node 22, one is found for those without. */

const os = require('node:os');
const { http, itMendsSockets, newAgent, nodeIsAtLeast, responseTo, serveRaw } = require('../support');

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** An own address of this machine that is valid on one of its links. */
const linkLocal = Object.entries(os.networkInterfaces())
  .flatMap(([zone, addresses]) => addresses.map(({ address }) => ({ address, zone })))
  .find(({ address }) => address.startsWith('fe80:'));

(linkLocal ? describe : describe.skip)('a link-local address', () => {
  const { address, zone } = linkLocal ?? {};

  itMendsSockets(!nodeIsAtLeast(22)).each([
    ['that names no zone gets that of an interface', ''],
    ['that names an unknown zone gets that of an interface', '%nowhere'],
    ['keeps its zone', `%${zone}`],
  ])('%s', async (_what, named) => {
    const peer = await serveRaw((socket) => socket.on('data', () => socket.write(ANSWER)), { port: 0, host: '::' });
    const agent = newAgent();
    for (const spelled of [address, address.toUpperCase()]) {
      const res = await responseTo(http.get({ host: `${spelled}${named}`, port: peer.port, agent }));
      expect(res.socket.remoteAddress).toBe(`${address}%${zone}`);
      res.socket.destroy();
    }
  });
});
