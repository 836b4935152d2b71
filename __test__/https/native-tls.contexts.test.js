'use strict';

/** Connections of one policy have a secure context in common, wherever they are; those of another one do not. */

const path = require('node:path');
const { isOracle, ROOT, runScript } = require('../support');
const { certificates, exchangeTls, https, serveTls } = require('../support/tls');

const { ca, named } = certificates;
const module_ = isOracle ? 'node:https' : path.join(ROOT, 'https.js');

/** An agent that gives all connections one name. */
class CarelessAgent extends https.Agent {
  getName() {
    return 'the same';
  }
}

describe('a request', () => {
  it('trusts nobody by an earlier one that its agent has given the same name', async () => {
    const peer = await serveTls((req, res) => res.end());
    const agent = new CarelessAgent({ maxCachedSessions: 0 });
    await exchangeTls({ ...peer.address, agent, ca });
    await expect(exchangeTls({ ...peer.address, agent })).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    });
  });

  it('trusts nobody by bytes that have been replaced since', async () => {
    const peer = await serveTls((req, res) => res.end());
    const agent = new https.Agent({ maxCachedSessions: 0 });
    const bytes = Buffer.from(ca.padEnd(named.cert.length, '\n'));
    await exchangeTls({ ...peer.address, agent, ca: bytes });
    bytes.fill('\n').write(named.cert);
    await expect(exchangeTls({ ...peer.address, agent, ca: bytes })).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    });
  });
});

/** Answers, and switches protocols where asked. */
async function serveBoth() {
  const peer = await serveTls((req, res) => res.end());
  peer.server.on('upgrade', (req, socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n');
  });
  return { ...peer.address, ca, module: module_ };
}

describe('the secrets', () => {
  it('of a socket that has gone back to Node are asked for while the I/O thread shakes hands', async () => {
    const main = (http, { module: id, ...options }) => {
      const { Agent, get } = require(id);
      const agent = new Agent({ maxCachedSessions: 0 });
      get({ ...options, agent, headers: { Connection: 'upgrade', Upgrade: 'x' } }).on('upgrade', (res, socket) => {
        socket.on('keylog', () => {});
        get({ ...options, agent }, ({ statusCode }) => {
          process.stdout.write(String(statusCode), () => process.exit());
        });
      });
    };
    expect(await runScript(main, { args: await serveBoth() })).toMatchObject({ stdout: '200', stderr: '', code: 0 });
  });

  it('of a socket that a lookup has connected at once are asked for while the I/O thread shakes hands', async () => {
    const main = (http, { module: id, host, ...options }) => {
      const { Agent, get } = require(id);
      const agent = new Agent({ maxCachedSessions: 0 });
      const common = { ...options, host: 'localhost', family: 4, agent };
      const answer = ({ all }) => (all ? [[{ address: host, family: 4 }]] : [host, 4]);
      let lookups = 0;
      const lookup = (name, how, callback) => {
        if (lookups++ % 2 === 1) callback(null, ...answer(how));
        else setImmediate(callback, null, ...answer(how));
      };
      let missing = 4;
      const onResponse = (res) => {
        res.resume();
        if (--missing === 0) process.stdout.write('all', () => process.exit());
      };
      for (let i = 0; i < 4; i++) {
        get({ ...common, lookup }, onResponse).on('socket', (socket) => socket.on('keylog', () => {}));
      }
    };
    expect(await runScript(main, { args: await serveBoth() })).toMatchObject({ stdout: 'all', stderr: '', code: 0 });
  });
});
