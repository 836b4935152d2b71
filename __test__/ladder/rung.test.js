'use strict';

/** The rung, which client serves requests: what decides it, and what each one does. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const esbuild = require('esbuild');

const { cleanUp, describeOurs, ROOT, runNode, runScript } = require('../support');
const { engines } = require('../../package.json');

/** The first minor of Node 20 that is supported. */
const LEAST_MINOR = Number(/20\.(\d+)/.exec(engines.node)[1]);

/** Prints how the process stands, and what comes of one request. */
function exchangeOnce(http, { files }) {
  const server = require('node:net').createServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  });
  server.listen(0, '127.0.0.1', () => {
    const req = http.get({ host: '127.0.0.1', port: server.address().port }, (res) => {
      res.setEncoding('utf8').on('data', (body) => {
        const { mode, reason, requests, connectionsOpened } = http.stats();
        const loaded = Object.keys(require.cache).map((file) => files.find((name) => file.endsWith(name)));
        console.log(JSON.stringify({
          mode, reason, requests, connectionsOpened, body,
          isNodes: req.constructor === require('node:http').ClientRequest,
          hasHandleOfLibuv: req.socket._handle.constructor.name === 'TCP',
          loaded: loaded.filter(Boolean).sort(),
        }));
      });
      res.on('close', () => server.close());
    });
  });
}

/** Runs `exchangeOnce` with changes of the process made before, and parses what it prints. */
async function exchangeWith({ env = {}, execArgv = [], before = '' }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-rung-'));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  const preload = path.join(folder, 'preload.js');
  fs.writeFileSync(preload, before);
  const { stdout, stderr, code } = await runScript(exchangeOnce, {
    args: { files: ['binding.js', 'client-request.js'] },
    env: { FERREQUEST: '', ...env },
    execArgv: [...execArgv, '--require', preload],
  });
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return { ...JSON.parse(stdout), stderr };
}

/** Source that makes a process believe in other versions. */
const versions = (changed) =>
  `Object.defineProperty(process, 'versions', { value: { ...process.versions, ...${JSON.stringify(changed)} } });`;

/** Source that leaves of the addon what every platform has. */
const WITHOUT_IO_THREAD = `
  const addon = require(${JSON.stringify(path.join(ROOT, 'binding.js'))});
  for (const name of Object.keys(addon)) {
    if (!['StreamDecoder', 'VERSION', 'recordLayout'].includes(name)) delete addon[name];
  }`;

const OURS = { body: 'ok', requests: 1, isNodes: false, loaded: ['binding.js', 'client-request.js'] };
const NODES = { mode: 'node', body: 'ok', requests: 0, isNodes: true, hasHandleOfLibuv: true };

describeOurs('the client', () => {
  it('is the native one', async () => {
    const { stderr, ...result } = await exchangeWith({});
    expect(result).toEqual({
      ...OURS, mode: 'native', reason: null, connectionsOpened: 1, hasHandleOfLibuv: false,
    });
    expect(stderr).toBe('');
  });

  it.each([
    ['with FERREQUEST=stream', { env: { FERREQUEST: 'stream' } }, 'FERREQUEST=stream'],
    ['where the addon has no I/O thread', { before: WITHOUT_IO_THREAD }, `no I/O thread on ${process.platform}`],
    ['there with FERREQUEST=strict too', { before: WITHOUT_IO_THREAD, env: { FERREQUEST: 'strict' } }, 'no I/O thread'],
  ])('is the decoder over sockets of Node %s', async (_when, options, reason) => {
    const { stderr, ...result } = await exchangeWith(options);
    expect(result).toEqual({
      ...OURS, mode: 'stream', reason: expect.stringContaining(reason), connectionsOpened: 0, hasHandleOfLibuv: true,
    });
    expect(stderr).toBe('');
  });

  it.each([
    ['with FERREQUEST=off', { env: { FERREQUEST: 'off' } }, 'FERREQUEST=off'],
    ['in Bun', { before: versions({ bun: '1.3.0' }) }, 'Bun'],
    ['in Deno', { before: versions({ deno: '2.5.0' }) }, 'Deno'],
    ['in a Node that is too old', { before: versions({ node: '18.20.8' }) }, engines.node],
  ])("is Node's %s, and not even the addon is loaded", async (_when, options, reason) => {
    const { stderr, ...result } = await exchangeWith(options);
    expect(result).toMatchObject({ ...NODES, loaded: [], reason: expect.stringContaining(reason) });
    expect(stderr.match(/\[FERREQUEST_FALLBACK\]/g)).toHaveLength(1);
    expect(stderr).toContain(result.reason);
  });

  it.each([
    [`20.${LEAST_MINOR - 1}.99`, 'node'], [`20.${LEAST_MINOR}.0`, 'native'], ['20.99.0', 'native'],
    ['21.7.3', 'node'], ['22.0.0', 'native'],
    ['23.11.0', 'node'], ['24.0.0', 'native'], ['25.1.0', 'node'], ['26.0.0', 'native'], ['27.0.0-nightly', 'native'],
  ])('of Node %s is the one of the mode %s', async (node, mode) => {
    expect(await exchangeWith({ before: versions({ node }) })).toMatchObject({ mode, body: 'ok' });
  });

  it('is the default with a value of FERREQUEST that is none, and a warning says which there are', async () => {
    const { stderr, ...result } = await exchangeWith({ env: { FERREQUEST: 'fast' } });
    expect(result).toMatchObject({ ...OURS, mode: 'native' });
    expect(stderr.match(/\[FERREQUEST_SETTING\]/g)).toHaveLength(1);
    expect(stderr).toMatch(/FERREQUEST=fast is ignored: the values are off, stream, strict/);
  });
});

describeOurs('FERREQUEST=strict', () => {
  it('changes nothing where the addon loads', async () => {
    const result = await exchangeWith({ env: { FERREQUEST: 'strict' } });
    expect(result).toMatchObject({ ...OURS, mode: 'native', stderr: '' });
  });

  it.each(['.', './https', './register'])('makes the fallback an error of loading %s', async (file) => {
    const source = `${versions({ node: '18.20.8' })} require(${JSON.stringify(file)});`;
    const { code, stderr } = await runNode(['-e', source], { env: { FERREQUEST: 'strict' } });
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_FERREQUEST_UNSUPPORTED_NODE');
    expect(stderr).not.toContain('FERREQUEST_FALLBACK');
  });
});

describeOurs('the warning', () => {
  it('comes once, however many modules and copies are loaded', async () => {
    const source = `
      for (let i = 0; i < 3; i++) {
        for (const file of ['.', './https', './register']) require(file);
        for (const file of Object.keys(require.cache)) delete require.cache[file];
      }`;
    const { stderr } = await runNode(['-e', source], { env: { FERREQUEST: 'off' } });
    expect(stderr.match(/\[FERREQUEST_FALLBACK\]/g)).toHaveLength(1);
  });
});

describeOurs('a startup snapshot', () => {
  it("holds ferrequest with Node's own client", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-snapshot-'));
    cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
    const entry = path.join(folder, 'entry.js');
    const bundle = path.join(folder, 'bundle.js');
    const blob = path.join(folder, 'snapshot.blob');
    fs.writeFileSync(entry, `
      const http = require(${JSON.stringify(ROOT)});
      const https = require(${JSON.stringify(path.join(ROOT, 'https.js'))});
      require(${JSON.stringify(path.join(ROOT, 'register.js'))});
      require('node:v8').startupSnapshot.setDeserializeMainFunction(() => {
        const { code } = http.diagnose();
        const known = [typeof http.request, typeof https.request, 'get' in http, Object.keys(http).includes('stats')];
        http.get({ host: '127.0.0.1', port: 1 }).on('error', (error) => {
          console.log(JSON.stringify([http.stats().mode, code, error.code, ...known]));
        });
      });`);
    const external = ['*.node', 'ferrequest-*'];
    await esbuild.build({ entryPoints: [entry], outfile: bundle, bundle: true, platform: 'node', external });
    const env = { FERREQUEST: '' };
    const built = await runNode(['--snapshot-blob', blob, '--build-snapshot', bundle], { env });
    expect({ code: built.code, stderr: built.stderr }).toMatchObject({
      code: 0, stderr: expect.stringContaining('[FERREQUEST_FALLBACK]'),
    });
    const { stdout, stderr } = await runNode(['--snapshot-blob', blob], { env });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual([
      'node', 'ERR_FERREQUEST_SNAPSHOT', 'ECONNREFUSED', 'function', 'function', true, true,
    ]);
  });
});
