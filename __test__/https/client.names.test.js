'use strict';

/** A client tells a server first its name (SNI, RFC 6066) and protocols (ALPN, RFC 7301). Ways to connect. */

const fs = require('node:fs');
const nodeHttps = require('node:https');
const os = require('node:os');
const tls = require('node:tls');
const { bytesOf, cleanUp, itOurs, responseTo, socketPath, unusedPort, until } = require('../support');
const { certificates, exchangeTls, https, lookup, newTlsAgent, serveTls } = require('../support/tls');

const { ca, local, named } = certificates;
const hasIPv6 = Object.values(os.networkInterfaces()).flat().some(({ address }) => address === '::1');

/** A server that tells the server name it was asked for, and the Host. */
const serveNames = (options) => serveTls((req, res) => {
  res.end(JSON.stringify({ sni: req.socket.servername, host: req.headers.host }));
}, options);

/** @returns {Promise<{ sni: string | false, host: string }>} what the server was told */
async function askedName(options) {
  const { body } = await exchangeTls({ rejectUnauthorized: false, ...options });
  return JSON.parse(body);
}

describe('the server name', () => {
  it.each([
    ['is that of the host', {}, 'localhost'],
    ['is not sent for an address', { host: '127.0.0.1' }, false],
    ['comes from the Host header, without its port', { headers: { Host: 'a.test:444' } }, 'a.test'],
    ['is not sent for an address in the Host header', { headers: { host: '[::1]:444' } }, false],
    ['is the option before anything else', { servername: 'b.test', headers: { Host: 'a.test' } }, 'b.test'],
    ['is not sent if the option is empty', { servername: '', headers: { Host: 'a.test' } }, false],
    ['comes from a Host header in a list too', { headers: ['Host', 'a.test'] }, 'localhost'],
  ])('%s', async (_what, options, expected) => {
    const peer = await serveNames();
    const { sni } = await askedName({ port: peer.port, host: 'localhost', lookup, ...options });
    expect(sni).toBe(expected);
  });

  it('is not sent for the address of a host in brackets', async () => {
    if (!hasIPv6) return;
    const peer = await serveNames({ listen: { port: 0, host: '::1' } });
    // Node 22 does not find an IPv6 address in a certificate.
    const agent = newTlsAgent({ rejectUnauthorized: false });
    const req = https.get(`https://[::1]:${peer.port}/`, { agent });
    const { sni, host } = JSON.parse(await bytesOf(await responseTo(req)));
    expect({ sni, host }).toEqual({ sni: false, host: `[::1]:${peer.port}` });
  });

  it('that is no string is refused, and so is a Host header that is none', () => {
    const agent = newTlsAgent();
    expect(() => https.get({ host: 'localhost', port: 1, agent, headers: { Host: ['a.test'] } }))
      .toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  });

  it('chooses the certificate', async () => {
    const asked = [];
    const peer = await serveNames({
      SNICallback(name, callback) {
        asked.push(name);
        callback(null, tls.createSecureContext(name.endsWith('.test') ? named : local));
      },
    });
    const nameOf = async (options) => {
      const { socket } = await exchangeTls({ port: peer.port, lookup, ...options });
      return [socket.authorized, socket.getPeerCertificate().subject.CN];
    };
    expect(await nameOf({ host: 'a.test' })).toEqual([true, 'a.test']);
    expect(await nameOf({ host: 'localhost' })).toEqual([true, 'localhost']);
    expect(await nameOf({ host: '127.0.0.1', servername: 'x.b.test' })).toEqual([true, 'a.test']);
    expect(asked).toEqual(['a.test', 'localhost', 'x.b.test']);
  });

  it('that the server does not know is an error of the handshake', async () => {
    const peer = await serveNames({ SNICallback: (name, callback) => callback(new Error('unknown')) });
    await expect(askedName({ port: peer.port, host: 'localhost', lookup })).rejects
      .toMatchObject({ code: 'ECONNRESET' });
  });

  it('divides the connections of an agent', async () => {
    const peer = await serveNames();
    const agent = newTlsAgent({ keepAlive: true });
    const options = { port: peer.port, host: '127.0.0.1', agent };
    const sockets = [];
    for (const servername of ['a.test', 'b.test', 'a.test']) {
      sockets.push((await exchangeTls({ ...options, servername, rejectUnauthorized: false })).socket);
    }
    expect([sockets[0] === sockets[1], sockets[0] === sockets[2]]).toEqual([false, true]);
    expect(peer.accepted.map(({ servername }) => servername)).toEqual(['a.test', 'b.test']);
  });
});

describe('ALPN', () => {
  it('offers nothing by default, so that no server answers in HTTP/2', async () => {
    const peer = await serveNames({ ALPNProtocols: ['h2', 'http/1.1'] });
    const { socket } = await exchangeTls(peer.address);
    expect([socket.alpnProtocol, peer.accepted[0].alpnProtocol]).toEqual([false, false]);
  });

  it('may be another', async () => {
    const peer = await serveNames({ ALPNProtocols: ['special/1', 'http/1.1'] });
    const { socket } = await exchangeTls({ ...peer.address, ALPNProtocols: ['other/1', 'special/1'] });
    expect(socket.alpnProtocol).toBe('special/1');
  });

  it('fails when there is none in common', async () => {
    const peer = await serveNames({ ALPNProtocols: ['special/1'] });
    const options = { ...peer.address, ALPNProtocols: ['other/1'] };
    const error = await exchangeTls(options).catch((reason) => reason);
    const ofNode = await new Promise((resolve) => {
      nodeHttps.get({ ...options, ca, agent: false }).on('error', resolve);
    });
    // Before Node 20.18 and 22.9 the alert is another.
    expect([error.code, error.syscall]).toEqual([ofNode.code, ofNode.syscall]);
    expect(error.message).toMatch(/no application protocol|EPROTO|ECONNRESET/);
  });
});

describe('TLS over a Unix domain socket', () => {
  it('carries requests, keeps the connection, and asks for the host by name', async () => {
    const path = socketPath();
    const peer = await serveNames({ listen: { path } });
    const agent = newTlsAgent({ keepAlive: true });
    const first = await exchangeTls({ socketPath: path, host: 'localhost', agent });
    expect(JSON.parse(first.body)).toEqual({ sni: 'localhost', host: 'localhost' });
    const second = await exchangeTls({ socketPath: path, host: 'localhost', agent });
    expect([second.req.reusedSocket, second.socket === first.socket]).toEqual([true, true]);
    expect(peer.accepted).toHaveLength(1);
    expect(first.socket.authorized).toBe(true);
    const options = { socketPath: path, host: 'localhost', port: 443, ca, servername: 'localhost' };
    expect(Object.keys(agent.freeSockets)).toEqual([agent.getName(options)]);
  });

  it('that nobody listens on is the error of connect', async () => {
    const path = socketPath();
    await expect(exchangeTls({ socketPath: path })).rejects.toMatchObject({
      code: 'ENOENT', syscall: 'connect', address: path, message: `connect ENOENT ${path}`,
    });
    fs.writeFileSync(path, '');
    await expect(exchangeTls({ socketPath: path })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('options of the connection below TLS', () => {
  it('lookup, family, localAddress and localPort are those of any connection', async () => {
    const peer = await serveTls((req, res) => {
      const { remoteAddress, remotePort } = req.socket;
      res.end(JSON.stringify({ remoteAddress, remotePort }));
    });
    const asked = [];
    const localPort = await unusedPort();
    const { body } = await exchangeTls({
      host: 'localhost',
      port: peer.port,
      family: 4,
      localAddress: '127.0.0.1',
      localPort,
      lookup(hostname, options, callback) {
        asked.push([hostname, options.family]);
        lookup(hostname, options, callback);
      },
    });
    expect(asked).toEqual([['localhost', 4]]);
    expect(JSON.parse(body)).toEqual({ remoteAddress: '127.0.0.1', remotePort: localPort });
  });

  it('an address where nobody listens is ECONNREFUSED as without TLS', async () => {
    const peer = await serveTls(() => {});
    await peer.close();
    await expect(exchangeTls(peer.address)).rejects.toMatchObject({
      code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port: peer.port,
      message: `connect ECONNREFUSED 127.0.0.1:${peer.port}`,
    });
  });

  it('an existing socket may be used', async () => {
    const peer = await serveNames();
    const socket = require('node:net').connect(peer.port, '127.0.0.1');
    cleanUp(() => socket.destroy());
    const { body } = await exchangeTls({ socket, host: 'localhost', port: peer.port });
    expect(JSON.parse(body).sni).toBe('localhost');
    await until(() => socket.destroyed);
  });

  itOurs('is decoded by ferrequest', async () => {
    const ferrequest = require('../..');
    const peer = await serveNames();
    const before = ferrequest.stats();
    await exchangeTls(peer.address);
    const after = ferrequest.stats();
    expect([after.requests - before.requests, after.responses - before.responses]).toEqual([1, 1]);
  });
});
