'use strict';

/** ferrequest/register: what it replaces, what it leaves, and that all of it can be taken back. */

const nodeHttp = require('node:http');
const nodeHttps = require('node:https');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { bytesOf, cleanUp, describeOurs, responseTo, ROOT, runNode, runScript, serve } = require('../support');

const REGISTER = path.join(ROOT, 'register.js');
const HTTP_CLIENT = ['Agent', 'ClientRequest', 'get', 'globalAgent', 'request', 'setGlobalProxyFromEnv'];
const HTTPS_CLIENT = ['Agent', 'get', 'globalAgent', 'request'];

const before = {
  http: Object.getOwnPropertyDescriptors(nodeHttp),
  https: Object.getOwnPropertyDescriptors(nodeHttps),
};

/** @returns {string[]} the exports that are not what they were, as module.name */
function changedExports() {
  const changed = (name, module) => Object.entries(Object.getOwnPropertyDescriptors(module))
    .filter(([key, { value, get }]) => value !== before[name][key]?.value || get !== before[name][key]?.get)
    .map(([key]) => `${name}.${key}`);
  return [...changed('http', nodeHttp), ...changed('https', nodeHttps)].sort();
}

const CLIENT_EXPORTS = [
  ...HTTP_CLIENT.filter((name) => name in nodeHttp).map((name) => `http.${name}`),
  ...HTTPS_CLIENT.map((name) => `https.${name}`),
].sort();

describeOurs('register()', () => {
  const ferrequest = require('../..');
  const ferrequestHttps = require('../../https');
  let register;
  let unregister;

  beforeAll(() => { ({ register, unregister } = require('../../register')); });
  afterEach(() => register());
  afterAll(() => unregister());

  it('has been called by loading it', () => {
    expect(changedExports()).toEqual(CLIENT_EXPORTS);
  });

  it('replaces the clients of node:http and node:https, and nothing else', () => {
    for (const name of HTTP_CLIENT) expect([name, nodeHttp[name]]).toEqual([name, ferrequest[name]]);
    for (const name of HTTPS_CLIENT) expect([name, nodeHttps[name]]).toEqual([name, ferrequestHttps[name]]);
    expect(Object.keys(nodeHttp)).toEqual(Object.keys(before.http));
    expect(Object.keys(nodeHttps)).toEqual(Object.keys(before.https));
    expect(nodeHttp.createServer).toBe(before.http.createServer.value);
    expect(nodeHttps.Server).toBe(before.https.Server.value);
  });

  it('may be called twice, and one unregister() is enough', () => {
    register();
    register();
    expect(changedExports()).toEqual(CLIENT_EXPORTS);
    unregister();
    expect(changedExports()).toEqual([]);
    unregister();
    expect(changedExports()).toEqual([]);
    register();
    expect(changedExports()).toEqual(CLIENT_EXPORTS);
  });

  it('makes each request of the process one of ours, until unregister()', async () => {
    const peer = await serve((req, res) => res.end(req.method));
    const options = { ...peer.address, agent: false };
    const countRequests = async () => {
      const { requests } = ferrequest.stats();
      const made = [
        nodeHttp.get(options),
        nodeHttp.request({ ...options, method: 'PUT' }).end(),
        new nodeHttp.ClientRequest({ ...options, method: 'DELETE' }).end(),
      ];
      // All at once: a response that nobody listens for yet would be drained.
      const bodies = await Promise.all(made.map(async (req) => bytesOf(await responseTo(req))));
      expect(bodies.map(String)).toEqual(made.map((req) => req.method));
      for (const req of made) expect(req).toBeInstanceOf(nodeHttp.ClientRequest);
      return ferrequest.stats().requests - requests;
    };
    expect(await countRequests()).toBe(3);
    unregister();
    expect(await countRequests()).toBe(0);
  });

  it("makes node:http's globalAgent the one that requests read, whoever sets it", async () => {
    const peer = await serve((req, res) => res.end());
    const agents = [nodeHttp.globalAgent, nodeHttps.globalAgent];
    cleanUp(() => { [nodeHttp.globalAgent, nodeHttps.globalAgent] = agents; });
    const agent = new nodeHttp.Agent();
    nodeHttp.globalAgent = agent;
    const req = nodeHttp.get(peer.address);
    expect([req.agent, ferrequest.globalAgent]).toEqual([agent, agent]);
    await bytesOf(await responseTo(req));
    const tlsAgent = new nodeHttps.Agent();
    nodeHttps.globalAgent = tlsAgent;
    expect(ferrequestHttps.globalAgent).toBe(tlsAgent);
  });

  it("leaves Node's global agents as they are", () => {
    unregister();
    expect(nodeHttp.globalAgent).not.toBe(ferrequest.globalAgent);
    expect(nodeHttp.globalAgent.constructor).toBe(before.http.Agent.value);
    expect(nodeHttps.globalAgent.constructor).toBe(before.https.Agent.value);
  });

  it('accepts agents that were made before it, and those made by it live on after unregister()', async () => {
    const peer = await serve((req, res) => res.end());
    unregister();
    const older = new nodeHttp.Agent({ keepAlive: true });
    register();
    const ours = new nodeHttp.Agent({ keepAlive: true });
    cleanUp(() => [older, ours].map((agent) => agent.destroy()));
    const serves = async (agent) => (await responseTo(nodeHttp.get({ ...peer.address, agent }))).statusCode === 200;
    expect([await serves(older), await serves(ours)]).toEqual([true, true]);
    unregister();
    expect([await serves(older), await serves(ours)]).toEqual([true, true]);
  });

  it('is not undone where another library has put its own in place since', () => {
    const { request } = nodeHttp;
    const wrapper = function wrapper(...args) { return request(...args); };
    nodeHttp.request = wrapper;
    unregister();
    expect(nodeHttp.request).toBe(wrapper);
    expect(changedExports()).toEqual(['http.request']);
    nodeHttp.request = before.http.request.value;
    expect(changedExports()).toEqual([]);
  });

  it('replaces a wrapper that was there, which unregister() brings back', () => {
    unregister();
    const wrapper = jest.fn();
    nodeHttp.get = wrapper;
    register();
    expect(nodeHttp.get).toBe(ferrequest.get);
    unregister();
    expect(nodeHttp.get).toBe(wrapper);
    nodeHttp.get = before.http.get.value;
  });
});

/** The body of a child process: makes a request by require() and by import, and prints whose they were. */
function printClients(ferrequest) {
  const server = require('node:http').createServer((req, res) => res.end()).listen(0, '127.0.0.1', async () => {
    const url = `http://127.0.0.1:${server.address().port}`;
    const { get, request, Agent } = await import('node:http');
    const { default: imported, ...names } = await import('node:https');
    const required = require('node:http');
    await new Promise((resolve) => { get(url, { agent: false }, (res) => res.resume().on('end', resolve)); });
    server.close();
    const { globalAgent, ...registered } = { ...require('node:https') };
    console.log(JSON.stringify({
      sameByImport: required.get === get && required.request === request && required.Agent === Agent &&
        imported.get === names.get && names.get === registered.get,
      ours: ferrequest.get === required.get,
      globalAgent: globalAgent === names.globalAgent,
      requests: ferrequest.stats().requests,
    }));
  });
}

describeOurs('a process started with', () => {
  const OURS = { sameByImport: true, ours: true, globalAgent: true, requests: 1 };

  it.each([
    ['--require', REGISTER],
    ['--import', pathToFileURL(REGISTER).href],
  ])('%s ferrequest/register uses it, in ES modules too', async (flag, file) => {
    const { stdout, stderr, code } = await runScript(printClients, { execArgv: [flag, file] });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual(OURS);
  });

  it('NODE_OPTIONS passes it on to child processes', async () => {
    const { stdout } = await runScript((ferrequest, source) => {
      const { execFileSync } = require('node:child_process');
      process.stdout.write(execFileSync(process.execPath, ['-e', source]));
    }, {
      args: `(${printClients})(require(${JSON.stringify(ROOT)}))`,
      env: { NODE_OPTIONS: `--require ${JSON.stringify(REGISTER)}` },
    });
    expect(JSON.parse(stdout)).toEqual(OURS);
  });

  it('both, and a require() of its own besides, has it once', async () => {
    const { stdout } = await runScript(printClients, {
      execArgv: ['--require', REGISTER, '--import', pathToFileURL(REGISTER).href],
    });
    expect(JSON.parse(stdout)).toEqual(OURS);
  });
});

describeOurs('an ES module', () => {
  it('sees register() and unregister() in what it imported before', async () => {
    const source = `
      import http, { get, request, Agent, globalAgent } from 'node:http';
      import { get as secureGet } from 'node:https';
      import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);
      const nodes = { get, request, Agent, globalAgent, secureGet };
      const now = () => ({ get, request, Agent, globalAgent, secureGet });
      const same = (a, b) => Object.keys(a).map((name) => a[name] === b[name]);
      const { register, unregister } = require('ferrequest/register');
      const ours = { ...require('ferrequest'), secureGet: require('ferrequest/https').get };
      const log = [same(now(), ours)];
      unregister();
      log.push(same(now(), nodes));
      register();
      log.push(same(now(), ours), http.get === get);
      console.log(JSON.stringify(log));`;
    const { stdout, stderr } = await runNode(['--input-type=module', '-e', source]);
    expect(stderr).toBe('');
    const all = [true, true, true, true, true];
    expect(JSON.parse(stdout)).toEqual([all, all, all, true]);
  });

  it('leaves connections that a user has asked an agent for plain sockets', async () => {
    const source = `
      import http from 'node:http';
      import net from 'node:net';
      import tls from 'node:tls';
      import { once } from 'node:events';
      import 'ferrequest/register';
      const server = net.createServer((socket) => socket.end('220 ready')).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const agent = new class extends http.Agent {}();
      const socket = agent.createConnection(server.address());
      await once(socket, 'connect');
      setTimeout(() => socket.on('data', (chunk) => console.log(String(chunk))), 10);
      await once(socket, 'close');
      const secure = tls.connect({ socket: http.globalAgent.createConnection(server.address()) });
      console.log((await once(secure, 'error'))[0].code);
      server.close();`;
    const { stdout, stderr } = await runNode(['--input-type=module', '-e', source]);
    // Once on a plain connection; then a greeting that is none of TLS.
    expect({ stdout, stderr }).toEqual({ stdout: '220 ready\nERR_SSL_WRONG_VERSION_NUMBER\n', stderr: '' });
  });

  it('gets the functions by importing ferrequest/register', async () => {
    const source = `
      import http from 'node:http';
      import register, { unregister } from 'ferrequest/register';
      import ferrequest from 'ferrequest';
      const log = [http.get === ferrequest.get];
      register.unregister();
      log.push(http.get === ferrequest.get, unregister === register.unregister);
      console.log(log.join());`;
    const { stdout, stderr } = await runNode(['--input-type=module', '-e', source]);
    expect({ stdout, stderr }).toEqual({ stdout: 'true,false,true\n', stderr: '' });
  });
});

describeOurs('a worker thread', () => {
  /** Prints, for this thread and for some workers, whose client is in place and whether it works. */
  async function printThreads(ferrequest, { root, count, execArgv, registersIn }) {
    const { Worker } = require('node:worker_threads');
    const nodeHttp = require('node:http');
    const server = nodeHttp.createServer((req, res) => res.end('to the worker'));
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const run = async ({ parentPort, workerData }) => {
      const http = require('node:http');
      if (workerData.registers) require(`${workerData.root}/register`);
      const ours = require(workerData.root);
      http.get({ port: workerData.port, host: '127.0.0.1' }, async (res) => {
        const text = String(Buffer.concat(await res.toArray()));
        parentPort.postMessage([http.get === ours.get, ours.stats().requests, text]);
      });
    };
    const results = [];
    for (let i = 0; i < count; i++) {
      const worker = new Worker(`(${run})(require('node:worker_threads'))`, {
        eval: true, execArgv, workerData: { root, port: server.address().port, registers: registersIn === 'workers' },
      });
      results.push(await new Promise((resolve, reject) => { worker.once('message', resolve).once('error', reject); }));
      await worker.terminate();
    }
    server.close();
    server.closeAllConnections();
    console.log(JSON.stringify({ main: nodeHttp.get === ferrequest.get, results }));
  }

  const ours = [true, 1, 'to the worker'];
  const nodes = [false, 0, 'to the worker'];

  it.each([
    ['inherits --require', { execArgv: ['--require', REGISTER] }, {}, { main: true, results: [ours, ours] }],
    ['started with other options does not', { execArgv: ['--require', REGISTER] }, { execArgv: [] },
      { main: true, results: [nodes, nodes] }],
    ['may have it alone, again and again', {}, { registersIn: 'workers', count: 5 },
      { main: false, results: Array(5).fill(ours) }],
  ])('%s', async (_what, options, args, expected) => {
    const result = await runScript(printThreads, { ...options, args: { root: ROOT, count: 2, ...args } });
    expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(result.stdout)).toEqual(expected);
  });
});

describeOurs('under Jest, where each test file loads modules anew and all share one node:http', () => {
  const load = () => {
    let copy;
    jest.isolateModules(() => { copy = { ...require('../../register'), ferrequest: require('../..') }; });
    cleanUp(() => copy.unregister());
    return copy;
  };

  it('a copy takes the place of the one before', () => {
    const [first, second] = [load(), load()];
    expect(nodeHttp.request).toBe(second.ferrequest.request);
    first.register();
    expect(nodeHttp.request).toBe(first.ferrequest.request);
    second.unregister();
    expect(nodeHttp.request).toBe(first.ferrequest.request);
    first.unregister();
    expect(changedExports()).toEqual([]);
  });

  it('a copy is not built upon another, and every one works', async () => {
    const peer = await serve((req, res) => res.end());
    const copies = [load(), load(), load()];
    for (const { ferrequest, register } of copies) {
      register();
      expect(Object.getPrototypeOf(ferrequest.Agent)).toBe(before.http.Agent.value);
      expect(await responseTo(nodeHttp.get({ ...peer.address, agent: false }))).toMatchObject({ statusCode: 200 });
      expect(ferrequest.stats().requests).toBe(1);
    }
    for (const { unregister } of copies) unregister();
    expect(changedExports()).toEqual([]);
  });

  it.each([['that leave it in place', ''], ['that take it out again', '1']])(
    'test files %s do not get into each other\'s way', async (_what, UNREGISTER) => {
      const rootDir = path.join(__dirname, '../fixtures/registered-twice');
      const config = { rootDir, testMatch: ['**/*.spec.js'], transform: {} };
      const jestBin = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js');
      const argv = [jestBin, '--runInBand', '--json', '--config', JSON.stringify(config)];
      const { stdout, stderr } = await runNode(argv, { env: { UNREGISTER } });
      const { success, numPassedTests } = JSON.parse(stdout || '{}');
      expect({ success, numPassedTests, stderr }).toMatchObject({ success: true, numPassedTests: UNREGISTER ? 4 : 2 });
    });
});
