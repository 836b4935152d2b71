'use strict';

/** The server of `ferrequest bench` without a URL, a process of its own: it answers each request with 1 KiB of JSON. */

const http = require('node:http');

const BODY = JSON.stringify({ hello: 'x'.repeat(1024 - '{"hello":""}'.length) });
const HEADERS = { 'content-type': 'application/json', 'content-length': BODY.length };

const server = http.createServer((_request, response) => response.writeHead(200, HEADERS).end(BODY));
server.listen(0, '127.0.0.1', () => process.send({ url: `http://127.0.0.1:${server.address().port}/` }));
// Nothing of it stays when the command has ended, however that has ended.
process.once('disconnect', () => process.exit());
