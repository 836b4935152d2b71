'use strict';

/** A failure on the way to the server is an 'error' of the request, with the fields of Node's. */

const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const util = require('node:util');
const {
  cleanUp, exchange, http, itMendsSockets, newAgent, nodeIsAtLeast, record, runScript, serve, socketPath,
  until, untilPoolIsEmpty, unusedPort,
} = require('../support');

/** @returns {string} an empty folder, removed after the test */
function newFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Makes a request that must fail, sees that it fails once and that the agent is as good as new, and gives the error.
 * @param {object} options
 * @returns {Promise<Error>}
 */
async function failureOf(options) {
  const agent = newAgent({ keepAlive: true });
  const req = http.get({ agent, ...options });
  const { events } = record(req);
  const errors = [];
  req.on('error', (error) => errors.push(error));
  await new Promise((resolve) => { req.on('close', resolve); });
  await untilPoolIsEmpty(agent);
  expect(errors).toHaveLength(1);
  expect(events.filter((event) => event === 'req close')).toHaveLength(1);
  expect(events).not.toContain('req response');
  expect(req.destroyed).toBe(true);

  const peer = await serve((_req, res) => res.end());
  expect((await exchange({ ...peer.address, agent })).res.statusCode).toBe(200);
  return errors[0];
}

describe('a port where nobody listens', () => {
  it('is ECONNREFUSED with the address', async () => {
    const port = await unusedPort();
    const error = await failureOf({ host: '127.0.0.1', port });
    expect(util.types.isNativeError(error)).toBe(true);
    expect(error).toMatchObject({
      code: 'ECONNREFUSED', errno: -os.constants.errno.ECONNREFUSED, syscall: 'connect', address: '127.0.0.1', port,
      message: `connect ECONNREFUSED 127.0.0.1:${port}`,
    });
  });

  it('is ECONNREFUSED without an agent too', async () => {
    const port = await unusedPort();
    const error = await failureOf({ host: '127.0.0.1', port, agent: false });
    expect(error).toMatchObject({ code: 'ECONNREFUSED', port });
  });

  it('of a name with several addresses is an AggregateError with an error for each', async () => {
    const port = await unusedPort();
    const lookup = (_host, _options, callback) => {
      callback(null, ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 })));
    };
    const error = await failureOf({ host: 'two.test', port, lookup });
    expect(error).toMatchObject({ name: 'AggregateError', code: 'ECONNREFUSED' });
    expect(error.errors.map(({ message }) => message)).toEqual([
      `connect ECONNREFUSED 127.0.0.1:${port}`, `connect ECONNREFUSED 127.0.0.2:${port}`]);
    expect(error.errors[1]).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.2', port });
  });

  it('given as a localPort that is taken is EADDRINUSE', async () => {
    const [taken, peer] = [await serve(() => {}), await serve(() => {})];
    const error = await failureOf({ ...peer.address, localAddress: '127.0.0.1', localPort: taken.port });
    expect(error).toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('a host name that nobody knows', () => {
  it('is the error of getaddrinfo', async () => {
    const error = await failureOf({ host: 'unknown.invalid', port: 80 });
    // Without any name server it is EAI_AGAIN.
    expect(error.code).toMatch(/^(ENOTFOUND|EAI_AGAIN)$/);
    expect(error).toMatchObject({
      syscall: 'getaddrinfo', hostname: 'unknown.invalid', message: `getaddrinfo ${error.code} unknown.invalid`,
    });
  });
});

describe('a lookup of the user', () => {
  it.each([
    ['at once', (callback, error) => callback(error)],
    ['later', (callback, error) => setImmediate(callback, error)],
  ])('that fails %s fails the request with its own error', async (_when, answer) => {
    const mine = Object.assign(new Error('no such place'), { code: 'EMINE' });
    const lookup = (_host, _options, callback) => answer(callback, mine);
    expect(await failureOf({ host: 'x.test', port: 1, lookup })).toBe(mine);
  });

  it.each([
    ['no address', { address: 'nowhere', family: 4 }, 'ERR_INVALID_IP_ADDRESS', 'Invalid IP address: nowhere'],
    ['no family', { address: '127.0.0.1', family: 9 }, 'ERR_INVALID_ADDRESS_FAMILY',
      'Invalid address family: 9 x.test:1'],
    ['undefined', {}, 'ERR_INVALID_IP_ADDRESS', 'Invalid IP address: undefined'],
  ])('that gives %s fails the request', async (_what, answer, code, message) => {
    const lookup = (_host, { all }, callback) => {
      if (all) callback(null, [answer]);
      else callback(null, answer.address, answer.family);
    };
    for (const autoSelectFamily of [true, false]) {
      expect(await failureOf({ host: 'x.test', port: 1, lookup, autoSelectFamily })).toMatchObject({ code, message });
    }
  });

  it('that answers after the request was destroyed changes nothing', async () => {
    const peer = await serve((req, res) => res.end());
    const agent = newAgent();
    let answer;
    const lookup = (_host, _options, callback) => { answer = callback; };
    const req = http.get({ ...peer.address, host: 'x.test', agent, lookup });
    const { events } = record(req);
    req.on('error', () => {});
    await once(req, 'socket');
    req.destroy();
    answer(null, [{ address: '127.0.0.1', family: 4 }]);
    await untilPoolIsEmpty(agent);
    await until(() => events.includes('req close'));
    expect(events).toEqual(['req socket', 'req error ECONNRESET', 'req close']);
    expect(peer.accepted.length).toBe(0);
  });
});

describe('a socketPath', () => {
  it('that is a folder is ECONNREFUSED', async () => {
    const socketPath = newFolder();
    expect(await failureOf({ socketPath })).toMatchObject({
      code: 'ECONNREFUSED', syscall: 'connect', address: socketPath, message: `connect ECONNREFUSED ${socketPath}`,
    });
  });

  it('that is a file is ECONNREFUSED', async () => {
    const socketPath = path.join(newFolder(), 'file');
    fs.writeFileSync(socketPath, '');
    expect(await failureOf({ socketPath })).toMatchObject({ code: 'ECONNREFUSED', address: socketPath });
  });

  it('that is not there is ENOENT', async () => {
    const socketPath = path.join(newFolder(), 'nobody');
    expect(await failureOf({ socketPath })).toMatchObject({
      code: 'ENOENT', errno: -os.constants.errno.ENOENT, syscall: 'connect', address: socketPath,
      message: `connect ENOENT ${socketPath}`,
    });
  });

  it('in a folder that is a file is ENOTDIR', async () => {
    const file = path.join(newFolder(), 'file');
    fs.writeFileSync(file, '');
    expect(await failureOf({ socketPath: `${file}/s` })).toMatchObject({ code: 'ENOTDIR', syscall: 'connect' });
  });

  // Up to Node 20 libuv takes what is before the NUL for the path; Node 22 tells of it too early for a listener.
  itMendsSockets(!nodeIsAtLeast(24))('with a NUL is EINVAL, and not the path before it', async () => {
    const peer = await serve((req, res) => res.end(), { listen: { path: socketPath() } });
    for (const more of ['\0', '\0more', `\0${'x'.repeat(200)}`]) {
      const path_ = `${peer.address.socketPath}${more}`;
      expect(await failureOf({ socketPath: path_ })).toMatchObject({
        code: 'EINVAL', errno: -os.constants.errno.EINVAL, syscall: 'connect', address: path_,
        message: `connect EINVAL ${path_} - Local (undefined:undefined)`,
      });
    }
    expect(peer.accepted).toEqual([]);
  });

  it('longer than the kernel can have is an error of connect', async () => {
    const socketPath = path.join(newFolder(), 'x'.repeat(200));
    // Up to Node 22 libuv cuts the path to the length that fits, and then nobody is there.
    const code = nodeIsAtLeast(24) ? 'EINVAL' : 'ENOENT';
    const error = await failureOf({ socketPath });
    expect([code, 'EINVAL']).toContain(error.code);
    expect(error).toMatchObject({ syscall: 'connect', address: socketPath });
  });
});

it('an error that nobody listens for is an uncaught exception, and the process ends', async () => {
  const port = await unusedPort();
  const { code, stderr } = await runScript((module, { port: closed }) => {
    module.get({ host: '127.0.0.1', port: closed });
  }, { args: { port } });
  expect(code).toBe(1);
  expect(stderr).toContain(`connect ECONNREFUSED 127.0.0.1:${port}`);
});
