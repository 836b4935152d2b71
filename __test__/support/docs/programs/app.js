'use strict';

/** The user's program of a page: asks a server of its own with node:http, and prints the answer. */

const http = require('node:http');

const server = http.createServer((_req, res) => res.end('hello'));
server.listen(0, '127.0.0.1', () => {
  http.get({ host: '127.0.0.1', port: server.address().port }, (res) => {
    res.setEncoding('utf8').on('data', (text) => console.log(text)).on('end', () => server.close());
  });
});
