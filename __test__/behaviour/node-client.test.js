'use strict';

/** Node's own client may use an agent of ours: the sockets of its pool serve those requests too. */

const nodeHttp = require('node:http');
const nodeHttps = require('node:https');

const {
  bytesOf, describeOurs, exchange, MORE_THAN_KERNEL_HOLDS, onRequestHead, until, untilIdle, poolOf, responseTo,
} = require('../support');
const { describeTransports } = require('../support/transports');

describeOurs('Node\'s own client', () => {
  describeTransports('an idle socket of our agent', (transport) => {
    const client = transport.isTls ? nodeHttps : nodeHttp;

    it('serves a request of Node\'s client, and the next one of ours', async () => {
      const peer = await transport.serve((req, res) => res.end(req.url));
      const agent = await transport.agentTo(peer);
      await exchange({ ...peer.address, agent, path: '/ours' });
      await untilIdle(agent);
      const body = await new Promise((resolve, reject) => {
        const req = client.get({ ...peer.address, agent, path: '/nodes' });
        req.on('response', (res) => resolve(res.toArray().then((chunks) => String(Buffer.concat(chunks)))));
        req.on('error', reject);
      });
      expect(body).toBe('/nodes');
      await untilIdle(agent);
      expect(String((await exchange({ ...peer.address, agent, path: '/again' })).body)).toBe('/again');
    });

    it('ends a request of Node\'s client once, if the peer ends it', async () => {
      const peer = await transport.serve((req, res) => (req.url === '/end' ? req.socket.end() : res.end('body')));
      const agent = await transport.agentTo(peer);
      await exchange({ ...peer.address, agent });
      await untilIdle(agent);
      const req = client.get({ ...peer.address, agent, path: '/end' });
      const errors = [];
      req.on('error', (error) => errors.push(error.code));
      await until(() => req.closed);
      await until(() => poolOf(agent).sockets === 0);
      expect(errors).toEqual(['ECONNRESET']);
      expect(String((await exchange({ ...peer.address, agent })).body)).toBe('body');
    });
  });

  describeTransports('a socket of our agent', (transport) => {
    const client = transport.isTls ? nodeHttps : nodeHttp;

    it('carries an upload of Node\'s client that the peer sends back meanwhile', async () => {
      const peer = await transport.serve((req, res) => req.pipe(res));
      const agent = await transport.agentTo(peer, {}, true);
      const req = client.request({ ...peer.address, agent, method: 'POST' });
      const response = responseTo(req);
      req.end(Buffer.alloc(MORE_THAN_KERNEL_HOLDS, 'x'));
      expect((await bytesOf(await response)).length).toBe(MORE_THAN_KERNEL_HOLDS);
    });

    it('tells Node\'s client of an answer that comes before the upload is read', async () => {
      const peer = await transport.serveRaw((socket) => onRequestHead(socket, (head) => {
        if (head.startsWith('POST')) socket.pause();
        socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
      }));
      const agent = await transport.agentTo(peer, {}, true);
      const req = client.request({ ...peer.address, agent, method: 'POST' });
      const response = responseTo(req);
      req.end(Buffer.alloc(MORE_THAN_KERNEL_HOLDS));
      const res = await response;
      expect([res.statusCode, String(await bytesOf(res))]).toEqual([413, 'no']);
      expect(req.writableFinished).toBe(false);
    });
  });
});
