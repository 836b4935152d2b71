'use strict';

/** Where Node's own client serves requests, ferrequest has the same exports, and register changes nothing. */

const { describeOurs, http, ROOT, runNode } = require('../support');

const env = { FERREQUEST: 'off', NODE_NO_WARNINGS: '1' };

/** Runs a script with Node's own client, and parses what it prints. */
async function evaluate(source, execArgv = []) {
  const { stdout, stderr, code } = await runNode([...execArgv, '-e', source], { env });
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return JSON.parse(stdout);
}

describeOurs("ferrequest with Node's own client", () => {
  it('has the exports that it has with ours', async () => {
    const names = await evaluate("console.log(JSON.stringify(Object.keys(require('.')).sort()))");
    expect(names).toEqual(Object.keys(http).sort());
    const secure = await evaluate("console.log(JSON.stringify(Object.keys(require('./https')).sort()))");
    expect(secure).toEqual(Object.keys(require('../../https')).sort());
  });

  it("has Node's own classes and functions", async () => {
    const others = await evaluate(`
      const own = ['diagnose', 'stats', 'ClientResponse'];
      const others = (ours, nodes) => Object.keys(ours).filter((name) => ours[name] !== nodes[name]);
      console.log(JSON.stringify([
        others(require('.'), require('node:http')), others(require('./https'), require('node:https')),
        require('.').ClientResponse === require('node:http').IncomingMessage,
      ]));`);
    expect([others[0].sort(), ...others.slice(1)]).toEqual([['ClientResponse', 'diagnose', 'stats'], [], true]);
  });

  it('has the counters of stats(), which stay 0', async () => {
    const { mode, reason, ...counters } = await evaluate("console.log(JSON.stringify(require('.').stats()))");
    expect({ mode, reason }).toEqual({ mode: 'node', reason: 'FERREQUEST=off' });
    expect(['mode', 'reason', ...Object.keys(counters)]).toEqual(Object.keys(http.stats()));
    expect(Object.values(counters).every((value) => value === 0)).toBe(true);
  });

  it.each(['.', './https'])('takes the globalAgent that is set on %s for its requests', async (file) => {
    const used = await evaluate(`
      const client = require(${JSON.stringify(file)});
      client.globalAgent = new client.Agent();
      const req = client.get({ host: '127.0.0.1', port: 1 }).on('error', () => {});
      console.log(JSON.stringify([req.agent === client.globalAgent, client.globalAgent.keepAlive]));`);
    expect(used).toEqual([true, false]);
  });

  it('is what ES modules import', async () => {
    const same = await evaluate(`
      import http, { ClientResponse, diagnose, get, globalAgent } from 'ferrequest';
      import https from 'ferrequest/https';
      import nodeHttp from 'node:http';
      console.log(JSON.stringify([
        get === nodeHttp.get, globalAgent === nodeHttp.globalAgent, ClientResponse === http.ClientResponse,
        diagnose().mode, typeof https.request,
      ]));`, ['--input-type=module']);
    expect(same).toEqual([true, true, true, 'node', 'function']);
  });

  it('is not registered', async () => {
    const changed = await evaluate(`
      const modules = [require('node:http'), require('node:https')];
      const look = () => modules.map((module) => JSON.stringify(Object.entries(Object.getOwnPropertyDescriptors(module))
        .map(([name, { value, get, set }]) => [name, ids([value, get, set])])).concat(Reflect.ownKeys(module).length));
      const known = [];
      const idOf = (value) => known.includes(value) ? known.indexOf(value) : known.push(value) - 1;
      const ids = (values) => values.map(idOf);
      const before = look();
      const { register, unregister } = require('./register');
      const states = [look()];
      register();
      states.push(look());
      unregister();
      states.push(look());
      console.log(JSON.stringify(states.map((state) => state.every((text, i) => text === before[i]))));`);
    expect(changed).toEqual([true, true, true]);
  });

  it('is no trouble for a process that was not made for it', async () => {
    const { stdout, stderr, code } = await runNode(['-p', '6 * 7'], {
      env: { ...env, NODE_OPTIONS: `--require ${JSON.stringify(`${ROOT}/register.js`)}` },
    });
    expect({ stdout, stderr, code }).toEqual({ stdout: '42\n', stderr: '', code: 0 });
  });
});
