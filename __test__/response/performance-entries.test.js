'use strict';

const { PerformanceObserver } = require('node:perf_hooks');

const { kAuthority } = require('../../lib/node/internals');
const { exchange, http, itMends, itOurs, MODULE_PATH, newAgent, runNode, serve, until } = require('../support');

/** Before Node 24.20 its own entries have the host alone. */
const itTellsPorts = itMends(kAuthority === undefined);

/** @returns {Promise<string[]>} the URLs in the entries of what `make` makes */
async function urlsOf(count, make) {
  const urls = [];
  const observer = new PerformanceObserver((list) => {
    for (const { name, detail } of list.getEntries()) if (name === 'HttpClient') urls.push(detail.req.url);
  });
  observer.observe({ entryTypes: ['http'] });
  try {
    await make();
    await until(() => urls.length === count);
  } finally {
    observer.disconnect();
  }
  return urls;
}

itTellsPorts('the URL in an entry has the port and the path', async () => {
  const peer = await serve((req, res) => res.end());
  const urls = await urlsOf(1, () => exchange({ ...peer.address, path: '/x?y', agent: newAgent() }));
  expect(urls).toEqual([`http://127.0.0.1:${peer.port}/x?y`]);
});

itTellsPorts('the URL in an entry has an IPv6 address in brackets, and no default port', async () => {
  const peer = await serve((req, res) => res.end());
  const createConnection = () => require('node:net').connect(peer.port, '127.0.0.1');
  const urls = await urlsOf(2, async () => {
    for (const port of [81, 80]) {
      await new Promise((resolve) => {
        http.get({ host: '::1', port, defaultPort: 80, createConnection }, (res) => res.resume().on('end', resolve));
      });
    }
  });
  expect(urls).toEqual(['http://[::1]:81/', 'http://[::1]/']);
});

itOurs.each([
  ['ServerResponse', `const http = require('node:http');
    http.ServerResponse = class extends http.ServerResponse {};`],
  ['PerformanceObserver', "require('node:perf_hooks').PerformanceObserver = undefined;"],
])('requests go on without entries where something stands in the place of %s', async (_name, replacement) => {
  const peer = await serve((req, res) => res.end('x'));
  const source = `${replacement}
    require(${JSON.stringify(MODULE_PATH)}).get(${JSON.stringify(peer.address)}, (res) => {
      res.resume().on('end', () => console.log(res.statusCode));
    });`;
  const { stdout, stderr } = await runNode(['-e', source]);
  expect({ stdout, stderr }).toEqual({ stdout: '200\n', stderr: '' });
});
