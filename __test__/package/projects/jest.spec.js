'use strict';

const { createServer } = require('node:http');
const { get, globalAgent, stats } = require('ferrequest');

test('a request is answered', async () => {
  const server = createServer((request, response) => response.end('answered'));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  const response = await new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port }, resolve).on('error', reject);
  });
  await new Promise((resolve) => { response.on('end', resolve).resume(); });
  globalAgent.destroy();
  await new Promise((resolve) => { server.close(resolve); });
  expect([response.statusCode, stats().mode]).toEqual([200, 'native']);
});
