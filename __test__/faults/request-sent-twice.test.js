'use strict';

/**
 * A request of which a byte is out is never sent again, however the peer ends the connection. That the peer's kernel
 * has acknowledged none of it proves nothing: a peer that has read may reset while the acknowledgement is delayed.
 */

const { exchange, itOurs, onRequestHead, untilIdle } = require('../support');
const { describeTransports } = require('../support/transports');

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Gives the socket of TCP below one of TLS. */
const tcpOf = (socket) => socket._parent ?? socket;

/** Ways in which a peer ends a connection whose request it has taken. */
const ENDS = {
  closes: (socket) => socket.destroy(),
  resets: (socket) => {
    if (tcpOf(socket) === socket) socket.resetAndDestroy();
    else tcpOf(socket).destroy();
  },
  'half-closes and reads on': (socket) => socket.end(),
};

describeTransports('a request that a peer takes on a used connection', (transport) => {
  itOurs.each(Object.keys(ENDS))('and that %s comes to it once, and fails', async (how) => {
    const paths = [];
    const peer = await transport.serveRaw((socket) => {
      socket.on('error', () => {});
      onRequestHead(socket, (head) => {
        const [, path] = String(head).split(' ');
        paths.push(path);
        if (path === '/taken') ENDS[how](socket);
        else socket.write(OK);
      });
    });
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    await exchange({ ...peer.address, agent, path: '/before' });
    await untilIdle(agent);
    const taken = exchange({ ...peer.address, agent, path: '/taken', method: 'POST' });
    await expect(taken).rejects.toMatchObject({ code: 'ECONNRESET' });
    // A connection that might have brought it again would have by the time of this one's answer.
    await exchange({ ...peer.address, agent, path: '/behind' });
    expect(paths.filter((path) => path === '/taken')).toEqual(['/taken']);
  });
});
