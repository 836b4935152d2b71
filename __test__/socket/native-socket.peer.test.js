'use strict';

/** A socket says of its peer what the kernel says, and not what was asked for. */

const os = require('node:os');
const { http, responseTo, until } = require('../support');
const { describeTransports } = require('../support/transports');

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

const hasIPv6 = Object.values(os.networkInterfaces()).flat().some(({ address }) => address === '::1');

const remoteOf = ({ remoteAddress, remoteFamily, remotePort }) => [remoteAddress, remoteFamily, remotePort];

/** Serves on all addresses. */
async function serveAll(transport, onConnection) {
  const peer = await transport.serveRaw(onConnection, { port: 0, host: hasIPv6 ? '::' : '0.0.0.0' });
  return { ...peer, address: { ...peer.address, rejectUnauthorized: false } };
}

const answer = (socket) => socket.on('error', () => {}).on('data', () => socket.write(ANSWER));

describeTransports("remoteAddress is the kernel's", (transport) => {
  it.each([
    ['0.0.0.0', '127.0.0.1', {}],
    ['0.0.0.0', '127.0.0.5', { localAddress: '127.0.0.5' }],
    ['127.0.0.2', '127.0.0.2', {}],
    ...(hasIPv6 ? [
      ['::', '::1', {}],
      ['0:0:0:0:0:0:0:1', '::1', {}],
      ['::FFFF:7f00:2', '::ffff:127.0.0.2', {}],
      ['::ffff:0.0.0.0', '::ffff:127.0.0.1', {}],
    ] : []),
  ])('for %s it is %s', async (host, remoteAddress, options) => {
    const peer = await serveAll(transport, answer);
    const address = { ...peer.address, host, ...options };
    const agent = await transport.agentTo({ ...peer, address });
    const req = http.get({ ...address, agent });
    const seen = [];
    req.on('socket', (socket) => {
      if (socket.connecting) seen.push(remoteOf(socket));
    });
    const res = await responseTo(req);
    const remote = [remoteAddress, remoteAddress.includes(':') ? 'IPv6' : 'IPv4', peer.port];
    expect(seen).toEqual(transport.isLent ? [] : [[undefined, undefined, undefined]]);
    expect(remoteOf(res.socket)).toEqual(remote);
    res.resume();
    res.socket.destroy();
    await until(() => res.socket.closed);
    expect(remoteOf(res.socket)).toEqual(remote);
  });
}, (kind) => !kind.isTls);

describeTransports('of a peer that has reset the connection', (transport) => {
  it('a socket tells what it was asked for before, and else nothing', async () => {
    for (const looks of [true, false]) {
      const peer = await transport.serveRaw((socket) => {
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
      });
      const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
      const seen = [];
      req.on('error', () => {});
      const res = await responseTo(req);
      const { socket } = res;
      if (looks) remoteOf(socket);
      res.resume().on('error', () => {});
      socket.on('close', () => seen.push(remoteOf(socket)));
      for (const accepted of peer.sockets) accepted.resetAndDestroy();
      await until(() => seen.length > 0);
      expect(seen).toEqual([looks ? ['127.0.0.1', 'IPv4', peer.port] : [undefined, undefined, undefined]]);
    }
  });
}, (kind) => !kind.isTls);
