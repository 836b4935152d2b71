import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { get, globalAgent, stats } from 'ferrequest';
import { expect, test } from 'vitest';

test('a request is answered', async () => {
  const server = createServer((request, response) => response.end('answered')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const [response] = await once(get({ host: '127.0.0.1', port: server.address().port }), 'response');
  expect([await text(response), stats().mode]).toEqual(['answered', 'native']);
  globalAgent.destroy();
  server.close();
});
