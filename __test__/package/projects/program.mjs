// As program.cjs, from an ES module.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import http, { get, stats } from 'ferrequest';

const server = createServer((request, response) => response.end('answered')).listen(0, '127.0.0.1');
await once(server, 'listening');
const [response] = await once(get({ host: '127.0.0.1', port: server.address().port }), 'response');
console.log(`${await text(response)} by ${stats().mode}`);
http.globalAgent.destroy();
server.close();
