'use strict';

/** Open handles that Jest reports: those that keep the process alive, and no others. */

const { createHook } = require('node:async_hooks');
const { once } = require('node:events');
const path = require('node:path');

const { cleanUp, describeOurs, http, itNative, runNode, serve, serveRaw, socketPath, until } = require('../support');
const { serveTls } = require('../support/tls');

const TIMEOUT = 30000;

/** Runs a test file, and gives the part of Jest's output that is about open handles. */
async function openHandles(file, env) {
  const rootDir = path.join(__dirname, '../fixtures/open-handles');
  const config = { rootDir, testMatch: [`**/${file}`], transform: {} };
  const jestBin = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js');
  // Without --forceExit: the process has to end by itself, or the test times out.
  const argv = [jestBin, '--detectOpenHandles', '--config', JSON.stringify(config)];
  const { code, stdout, stderr } = await runNode(argv, { env, timeout: TIMEOUT });
  expect({ code, output: code === 0 ? '' : `${stdout}${stderr}` }).toEqual({ code: 0, output: '' });
  return `${stdout}${stderr}`.match(/Jest has detected[^]*/)?.[0] ?? '';
}

describeOurs('jest --detectOpenHandles', () => {
  it('reports nothing when requests are done, and their connections wait for others', async () => {
    const onRequest = (req, res) => res.end('body');
    const peers = [
      ['../../..', (await serve(onRequest, { listen: { path: socketPath() } })).address],
      ['../../..', (await serve(onRequest)).address],
      ['../../../https', (await serveTls(onRequest)).address],
    ];
    expect(await openHandles('finished.spec.js', { PEERS: JSON.stringify(peers) })).toBe('');
  }, TIMEOUT);

  itNative('reports a request that is under way', async () => {
    // Answers when Jest has looked.
    const { address } = await serveRaw((socket) => setTimeout(() => socket.destroy(), 3000), { path: socketPath() });
    const report = await openHandles('pending.spec.js', { SILENT: JSON.stringify(address) });
    expect(report).toMatch(/1 open handle[^]*ferrequest/);
  }, TIMEOUT);
});

describeOurs('hasRef() of each resource that a request makes', () => {
  it('tells whether that keeps the process alive', async () => {
    const resources = new Map();
    const hook = createHook({
      init: (id, type, _trigger, resource) => resources.set(id, { type, resource }),
      destroy: (id) => resources.delete(id),
    });
    hook.enable();
    cleanUp(() => hook.disable());
    const held = (type) => {
      return [...resources.values()].filter((each) => each.type === type && each.resource.hasRef()).length;
    };
    const { address } = await serve((req, res) => res.write('body'));
    const before = held('TCPWRAP');
    const req = http.get({ ...address, agent: false });
    const [res] = await once(req, 'response');
    // Those of the request and of the peer's side.
    expect(held('TCPWRAP')).toBe(before + 2);
    req.socket.unref();
    expect(held('TCPWRAP')).toBe(before + 1);
    req.socket.ref();
    expect(held('TCPWRAP')).toBe(before + 2);
    res.on('error', () => {});
    req.destroy();
    await once(req, 'close');
    await until(() => held('TCPWRAP') === before, 'the end of both');
  });
});
