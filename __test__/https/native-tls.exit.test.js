'use strict';

/** A process may end while the I/O thread is in the middle of handshakes: OpenSSL goes before that thread does. */

const path = require('node:path');
const { isOracle, ROOT, runScript } = require('../support');
const { certificates, serveTls } = require('../support/tls');

/** Number of processes that end; one in ten crashes where nothing keeps the I/O thread out of OpenSSL. */
const PROCESSES = 10;

it('process.exit() ends a process whose connections are shaking hands', async () => {
  const peer = await serveTls((req, res) => res.end(Buffer.alloc(100000)));
  const module = isOracle ? 'node:https' : path.join(ROOT, 'https.js');
  const args = { module, ca: certificates.ca, address: peer.address };
  const main = (http, { module: id, ca, address }) => {
    const { Agent, get } = require(id);
    const agent = new Agent({ ca, maxCachedSessions: 0 });
    const responses = new Set();
    for (let i = 0; i < 100; i++) {
      const req = get({ ...address, agent }, (res) => {
        res.resume();
        if (responses.add(res).size === 10) process.exit(3);
      });
      req.on('error', () => {});
    }
  };
  const ends = [];
  for (let i = 0; i < PROCESSES; i++) {
    const { code, signal, stderr } = await runScript(main, { args });
    ends.push({ code, signal, stderr });
  }
  expect(ends).toEqual(Array(PROCESSES).fill({ code: 3, signal: null, stderr: '' }));
}, 120000);
