'use strict';

const { once } = require('node:events');

/** Starts a server of socket.io; what it is sent it acknowledges. */
async function serveSocketIo({ Server }, kit) {
  const peer = await kit.serve('io');
  const server = new Server(peer.server, { maxHttpBufferSize: 1e7 });
  // How many of a kind there are is a matter of time.
  const note = (kind) => {
    if (!peer.asked.includes(kind)) peer.asked.push(kind);
  };
  peer.server.on('request', (req) => {
    note(`${req.method} ${new URL(req.url, 'http://io').searchParams.get('transport')}`);
  });
  peer.server.on('upgrade', () => note('upgrade'));
  server.on('connection', (socket) => {
    socket.on('add', (a, b, acknowledge) => acknowledge(a + b));
    socket.on('binary', (bytes) => socket.emit('length', bytes.length));
    socket.on('leave', () => socket.disconnect(true));
  });
  kit.cleanUp(() => server.close());
  return { peer, url: `http://127.0.0.1:${peer.port}` };
}

function scenario(transports, options) {
  return async (library, kit) => {
    const { peer, url } = await serveSocketIo(library, kit);
    const socket = library.io(url, {
      transports,
      reconnection: false,
      forceNew: true,
      agent: kit.agent({ keepAlive: true }),
      ...options,
    });
    kit.cleanUp(() => socket.close());
    await once(socket, 'connect');
    if (transports.length > 1) await kit.until(() => socket.io.engine.transport.name === transports[1]);
    const sum = await socket.emitWithAck('add', 2, 3);
    const length = once(socket, 'length');
    socket.emit('binary', Buffer.alloc(200_000, 'x'));
    const [bytes] = await length;
    const left = new Promise((resolve) => {
      socket.on('disconnect', resolve);
    });
    socket.emit('leave');
    return { sum, bytes, left: await left, transport: transports.at(-1), kinds: peer.asked.toSorted() };
  };
}

module.exports = {
  load: async () => ({ ...require('socket.io'), io: require('socket.io-client').io }),
  given: 'agent',
  scenarios: {
    'talks by WebSocket': {
      act: scenario(['websocket']),
      gives: { sum: 5, bytes: 200_000, left: 'io server disconnect', transport: 'websocket', kinds: ['upgrade'] },
    },
    'talks by long polling': {
      act: scenario(['polling']),
      gives: {
        sum: 5,
        bytes: 200_000,
        left: 'io server disconnect',
        transport: 'polling',
        kinds: ['GET polling', 'POST polling'],
      },
    },
    'begins by long polling, and goes on by WebSocket': {
      act: scenario(['polling', 'websocket']),
      gives: {
        sum: 5,
        bytes: 200_000,
        left: 'io server disconnect',
        transport: 'websocket',
        kinds: ['GET polling', 'POST polling', 'upgrade'],
      },
    },
    'tells that nobody listens': {
      act: async ({ io }, kit) => {
        const messages = [];
        for (const transport of ['websocket', 'polling']) {
          const socket = io(kit.refusedUrl, {
            transports: [transport],
            reconnection: false,
            forceNew: true,
            agent: kit.agent(),
          });
          const [error] = await new Promise((resolve) => {
            socket.on('connect_error', (...args) => resolve(args));
          });
          messages.push(error.message);
          socket.close();
        }
        return messages;
      },
      gives: ['websocket error', 'xhr poll error'],
    },
  },
};
