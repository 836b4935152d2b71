'use strict';

/** A socket that a library has made and puts into the pool itself, as http2-wrapper does after ALPN. */

const { once } = require('node:events');
const net = require('node:net');
const tls = require('node:tls');
const { bytesOf, http, newAgent, responseTo, serve, until } = require('../support');
const { certificates, https, newTlsAgent, serveTls } = require('../support/tls');

const KINDS = {
  http: { client: http, newAgent, serve, connect: (address) => net.connect(address) },
  https: {
    client: https,
    newAgent: newTlsAgent,
    serve: serveTls,
    connect: (address) => tls.connect({ ...address, ca: certificates.ca }),
  },
};

describe.each(Object.entries(KINDS))("a socket that is put into the pool of %s by 'free'", (name, kind) => {
  it('serves one request after the other', async () => {
    const peer = await kind.serve((req, res) => res.end(req.url));
    const agent = kind.newAgent({ keepAlive: true });
    const options = { ...peer.address, ca: certificates.ca };
    const socket = kind.connect(peer.address);
    await once(socket, name === 'https' ? 'secureConnect' : 'connect');
    socket._httpMessage = { shouldKeepAlive: true };
    const free = () => agent.emit('free', socket, options);
    socket.on('free', free);
    free();

    for (const path of ['/first', '/second']) {
      await until(() => Object.values(agent.freeSockets).flat().includes(socket), 'the socket to be idle');
      const req = kind.client.get({ ...options, agent, path });
      expect(String(await bytesOf(await responseTo(req)))).toBe(path);
      expect([req.socket === socket, req.reusedSocket]).toEqual([true, true]);
    }
    socket.destroy();
  });
});
