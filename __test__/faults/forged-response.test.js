'use strict';

/**
 * An answer that nobody asked for, and that lies unread on an idle connection while the event loop is busy, is handed
 * by node:http to the next request on that connection (by newer releases only to none: CVE-2026-105481). Here the
 * connection is looked at before a request gets it, or before its first byte: it is retired, and the request gets a
 * fresh one. (A stream that is no socket cannot be looked at like that.)
 */

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const {
  http, itOurs, onRequestHead, exchange, poolOf, responseTo, until, untilIdle, newAgent, cleanUp, untilPoolIsEmpty,
} = require('../support');
const { describeTransports } = require('../support/transports');

const answer = (body) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** Keeps the event loop busy until another thread has done its part. */
function blockUntil(shared, index, value) {
  const deadline = Date.now() + 5000;
  while (Atomics.load(shared, index) !== value) {
    if (Date.now() > deadline) throw new Error('the other thread does not answer');
  }
}

describeTransports('an answer that nobody asked for', (transport) => {
  itOurs.each([
    ['whole', answer('forged')],
    ['in part', answer('forged').slice(0, 20)],
    ['with a length that eats the next answer', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nforged'],
    ['interim', 'HTTP/1.1 103 Early Hints\r\nX: forged\r\n\r\n'],
  ])('%s, that came in the same turn of the event loop, is not taken by the next request', async (_what, forged) => {
    // With TLS, bytes that are written while others are on their way wait for the next turn of the event loop.
    let isTaken;
    const peer = await transport.serveRaw((socket) => {
      socket.on('end', () => socket.end());
      socket.on('error', () => {});
      // The kernel takes the written bytes at once, and gives them to the other end.
      socket.setNoDelay(true);
      onRequestHead(socket, () => {
        isTaken = new Promise((resolve) => { socket.write(answer('real'), resolve); });
      });
    });
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    for (let i = 0; i < 10; i++) {
      await exchange({ ...peer.address, agent });
      await untilIdle(agent);
      await isTaken;
      // Written to the kernel at once, so that it has arrived before the request is made; the event loop has had no
      // turn since.
      peer.accepted.at(-1).write(forged);
      const informed = [];
      const req = http.get({ ...peer.address, agent });
      req.on('information', (info) => informed.push(info));
      const body = await new Promise((resolve, reject) => {
        req.on('response', (res) => res.toArray().then((chunks) => resolve(Buffer.concat(chunks).toString()), reject));
        req.on('error', reject);
      });
      expect(body).toBe('real');
      expect(informed).toEqual([]);
      await untilIdle(agent);
    }
    agent.destroy();
    await untilPoolIsEmpty(agent);
  });

  itOurs('is not taken while another request of the origin is under way', async () => {
    // The peer's TLS holds a later write until this one is done, as above.
    let isTaken;
    const held = [];
    const peer = await transport.serveRaw((socket) => {
      socket.on('end', () => socket.end());
      socket.on('error', () => {});
      // The kernel takes the written bytes at once, and gives them to the other end.
      socket.setNoDelay(true);
      onRequestHead(socket, (head) => {
        if (String(head).includes('/held')) held.push(socket);
        else isTaken = new Promise((resolve) => { socket.write(answer('real'), resolve); });
      });
    });
    const agent = await transport.agentTo(peer, { maxSockets: 2 });
    const under = exchange({ ...peer.address, agent, path: '/held' });
    await until(() => held.length === 1);
    for (let i = 0; i < 5; i++) {
      await exchange({ ...peer.address, agent });
      await until(() => poolOf(agent).freeSockets === 1);
      await isTaken;
      peer.accepted.at(-1).write(answer('forged'));
      expect(String((await exchange({ ...peer.address, agent })).body)).toBe('real');
    }
    held[0].write(answer('held'));
    expect(String((await under).body)).toBe('held');
  });

  // A server with TLS writes the forged bytes a turn later, when that request is out.
  (transport.isTls ? it.skip : itOurs)('is not taken by a request that waits in the queue', async () => {
    const peer = await transport.serveRaw((socket) => {
      socket.on('end', () => socket.end());
      socket.on('error', () => {});
      // The kernel takes the written bytes at once, and gives them to the other end.
      socket.setNoDelay(true);
      onRequestHead(socket, () => socket.write(answer('real')));
    });
    const agent = await transport.agentTo(peer, { maxSockets: 1 });
    for (let i = 0; i < 10; i++) {
      const first = http.get({ ...peer.address, agent });
      const second = exchange({ ...peer.address, agent });
      const res = await responseTo(first);
      // The socket is given to the next request a tick later.
      res.on('end', () => peer.accepted.at(-1).write(answer('forged'))).resume();
      expect(String((await second).body)).toBe('real');
      await untilIdle(agent);
    }
  });
});

/**
 * Node's TLS gives two records that it has read together one after the other, with ticks between them. In those ticks
 * the connection goes to the next request, and neither the stream nor the kernel knows of the second record: it is
 * taken for the answer. node:https does the same. Over TLS of the I/O thread, a server that writes twice sends the
 * second record a turn later, when the next request is out: no client can tell.
 */
describeTransports('an answer that nobody asked for, read together with the one before it,', (transport) => {
  const itHandsOn = transport.isTls ? it.skip : itOurs;
  itHandsOn('is not taken by a request that waits in the queue', async () => {
    const peer = await transport.serveRaw((socket) => {
      socket.on('end', () => socket.end());
      socket.on('error', () => {});
      onRequestHead(socket, () => {
        socket.write(answer('real'));
        socket.write(answer('forged'));
      });
    });
    const agent = transport.newAgent({ keepAlive: true, maxSockets: 1 });
    const all = await Promise.all(Array.from({ length: 10 }, () => exchange({ ...peer.address, agent })
      .then(({ body }) => String(body), (error) => error.code)));
    expect(all).not.toContain('forged');
  });
}, ({ isLent }) => !isLent);

/** A server in a thread of its own, which sends a forged answer when it is told so. */
const FORGER = `
  const { workerData: { shared }, parentPort } = require('node:worker_threads');
  const net = require('node:net');
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    let asked = 0;
    socket.on('data', () => {
      socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nreal');
      const timer = setInterval(() => {
        if (Atomics.load(shared, 0) !== 1 || asked++ > 0) return;
        clearInterval(timer);
        socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nforged');
        Atomics.store(shared, 0, 2);
      }, 1);
      socket.on('close', () => clearInterval(timer));
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

itOurs('an answer that came while the event loop was blocked is not taken by the next request', async () => {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(FORGER, { eval: true, workerData: { shared } });
  cleanUp(() => worker.terminate());
  const [port] = await once(worker, 'message');
  const agent = newAgent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 30; i++) {
    Atomics.store(shared, 0, 0);
    await exchange({ host: '127.0.0.1', port, agent });
    await untilIdle(agent);
    Atomics.store(shared, 0, 1);
    blockUntil(shared, 0, 2);
    const { body } = await exchange({ host: '127.0.0.1', port, agent });
    expect(body.toString()).toBe('real');
    // The server is told anew only when this connection has no forged answer coming.
    await untilIdle(agent);
    agent.destroy();
    await untilPoolIsEmpty(agent);
  }
});
