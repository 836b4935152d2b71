'use strict';

/**
 * A check of the server's identity that throws has not agreed, in a process that survives what is thrown. Node's own
 * TLS would let the request onto a new connection; node:https does not make one here.
 */

const path = require('node:path');
const { isNative, isOracle, ROOT, runScript } = require('../support');
const { ca, local } = require('../support/certificates');

const itHere = isNative || isOracle ? it : it.skip;

itHere('a check that throws lets nothing onto a connection that takes the place of one that had died', async () => {
  const main = (http, { module: id, authority, certificate }) => {
    const { Agent, get } = require(id);
    const say = (text) => process.stdout.write(`${text} `);
    let checks = 0;
    const checkServerIdentity = () => {
      if (checks++ > 0) throw new Error('not-pinned');
    };
    process.on('uncaughtException', ({ message }) => say(message));
    const server = require('node:https').createServer(certificate, (req, res) => {
      say(req.url);
      res.end();
    });
    const accepted = [];
    server.on('secureConnection', (socket) => accepted.push(socket));
    server.listen(0, '127.0.0.1', () => {
      const agent = new Agent({ ca: authority, keepAlive: true, maxCachedSessions: 0, checkServerIdentity });
      const ask = (pathname, then) => {
        const options = { host: '127.0.0.1', port: server.address().port, agent, path: pathname };
        get(options, (res) => res.resume()).on('error', ({ code }) => say(code)).on('close', then);
      };
      ask('/first', () => setImmediate(() => {
        // Other keys for tickets, so that the next handshake is a full one, which is checked.
        server.setTicketKeys(Buffer.alloc(48, 7));
        accepted[0].destroy();
        ask('/second', () => process.exit());
      }));
    });
  };
  const module = isOracle ? 'node:https' : path.join(ROOT, 'https.js');
  const { stdout } = await runScript(main, { args: { module, authority: ca, certificate: local } });
  expect(stdout).toMatch(/^\/first .*ECONNRESET $/);
  expect(stdout).not.toContain('/second');
});
