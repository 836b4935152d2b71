'use strict';

/** The server whose clients are measured. It tells its port, and ends with its parent. */

const http = require('node:http');

const PIECE = Buffer.alloc(65_536, 'endless');

const server = http.createServer((req, res) => {
  if (req.url === '/never') return;
  if (req.url === '/endless') {
    const more = () => {
      while (!res.destroyed && res.write(PIECE));
    };
    res.on('drain', more);
    more();
    return;
  }
  if (req.url !== '/once') {
    res.end('a short body');
    return;
  }
  // Not at once, so that no connection serves two of the requests that come together.
  setTimeout(() => res.end(), 1500);
});
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('disconnect', () => process.exit());
