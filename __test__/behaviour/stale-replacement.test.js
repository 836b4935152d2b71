'use strict';

/** A request fails when the connection that should replace a stale one cannot be made. */

const { describeOurs, exchange, http, newAgent, responseTo, serve, socketPath, untilIdle, untilPoolIsEmpty } =
  require('../support');

describeOurs('a request on a stale connection whose server is gone', () => {
  const listens = { 'a port': undefined, 'a Unix domain socket': { path: socketPath } };

  it.each(Object.entries(listens))('fails with the error of connecting to %s', async (name, listen) => {
    const peer = await serve((req, res) => res.end('hello'), { listen: listen && { path: listen.path() } });
    const agent = newAgent({ keepAlive: true });
    await exchange({ ...peer.address, agent });
    await untilIdle(agent);
    // In this turn of the event loop: the client has not heard of it when it makes the request.
    peer.server.close();
    peer.server.closeAllConnections();
    const { path, port } = { path: peer.address.socketPath, port: peer.address.port };
    const error = await responseTo(http.get({ ...peer.address, agent })).catch((reason) => reason);
    expect(error).toMatchObject(path ?
      { code: 'ENOENT', syscall: 'connect', address: path, message: `connect ENOENT ${path}` } :
      { code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port,
        message: `connect ECONNREFUSED 127.0.0.1:${port}` });
    await untilPoolIsEmpty(agent);
  });
});
