'use strict';

/** An address that does not answer who connects. */

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');
const { cleanUp } = require('./cleanup');

/** Address at which no answer comes, at the port of a server at 127.0.0.1. */
const SILENT = '127.0.0.9';

/**
 * Makes an address that answers no connection: a process listens there that never accepts one, and its queue is full.
 * The kernel then leaves connections without an answer.
 */
async function silence(port) {
  const source = `require('node:net').createServer().listen({ port: ${port}, host: '${SILENT}', backlog: 1 }, () => {
    require('node:fs').writeSync(1, 'listening');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanUp(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const fillers = [];
  cleanUp(() => fillers.forEach((socket) => socket.destroy()));
  for (let isFull = false; !isFull;) {
    const socket = net.connect(port, SILENT);
    socket.on('error', () => {});
    fillers.push(socket);
    isFull = await Promise.race([once(socket, 'connect').then(() => false), sleep(100, true)]);
  }
}

module.exports = { SILENT, silence };
