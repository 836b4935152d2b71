'use strict';

/**
 * Requests look alike to V8, also to the functions of Node's that they go through: code that meets many hidden classes,
 * or copies properties, takes several times as long.
 */

const v8 = require('node:v8');

const { kStamps } = require('../../lib/phases/connecting');
const { bytesOf, http, itOurs, newAgent, responseTo, runScript, serve } = require('../support');

v8.setFlagsFromString('--allow-natives-syntax');
// The syntax is V8's own, and only of code that is compiled from now on.
const haveOneHiddenClass = new Function('one', 'other', 'return %HaveSameMap(one, other);');

/** Makes some requests, one behind the other and at the same time: they connect, wait and get idle connections. */
async function someRequests() {
  const { address } = await serve((req, res) => res.end('hello'));
  const agent = newAgent({ keepAlive: true, maxSockets: 2 });
  const requests = [];
  for (let i = 0; i < 3; i++) {
    const together = Array.from({ length: 4 }, () => http.get({ ...address, agent }));
    await Promise.all(together.map(async (req) => bytesOf(await responseTo(req))));
    requests.push(...together);
  }
  return requests;
}

itOurs('requests and their times have one hidden class, whether they connect, wait or get a used one', async () => {
  const [one, ...others] = await someRequests();
  expect(others.filter((other) => !haveOneHiddenClass(one, other))).toEqual([]);
  expect(others.filter((other) => !haveOneHiddenClass(one[kStamps], other[kStamps]))).toEqual([]);
});

/**
 * Has V8 describe objects behind many requests, of which some have waited for a connection.
 * @param {(http: typeof import('node:http'), args: object) => void} main
 * @returns {Promise<string>}
 */
async function describeAfterRequests(main) {
  const { address } = await serve((req, res) => res.end('hello'));
  const { stdout, stderr } = await runScript(main, { args: address, execArgv: ['--allow-natives-syntax'] });
  expect(stderr).toBe('');
  return stdout;
}

itOurs('all properties of a request are within the object', async () => {
  const description = await describeAfterRequests(`(http, address) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    let left = 300;
    (function next() {
      const req = http.get({ ...address, agent }, (res) => res.resume().on('end', () => {
        if (--left > 0) next();
        else %DebugPrint(req);
      }));
    })();
  }`);
  expect(description).toMatch(/timeoutCb.*location: in-object/);
  expect(description).not.toMatch(/location: properties\[/);
});

itOurs('OutgoingMessage has met nothing but requests when V8 optimizes it', async () => {
  const description = await describeAfterRequests(`(http, address) => {
    let left = 300;
    (function next() {
      http.get(address, (res) => res.resume().on('end', () => {
        if (--left > 0) next();
        else %DebugPrint(http.OutgoingMessage);
      }));
    })();
  }`);
  expect(description).toMatch(/slot #\d+ (?:Set|Store)\w* MONOMORPHIC/);
  expect(description).not.toMatch(/slot #\d+ (?:Set|Store)\w* (?:POLY|MEGA)MORPHIC/);
});
