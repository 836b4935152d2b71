'use strict';

// Makes a request to a server of its own, and says which client has served it. Run in many kinds of projects.
const { createServer } = require('node:http');
const { ClientRequest, get, globalAgent, stats } = require('ferrequest');

const server = createServer((request, response) => response.end('answered'));
server.listen(0, '127.0.0.1', () => {
  get({ host: '127.0.0.1', port: server.address().port }, (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (chunk) => { body += chunk; });
    response.on('end', () => {
      console.log(`${body} by ${stats().mode}`);
      if (!(response.req instanceof ClientRequest)) throw new Error('The request is none of ferrequest\'s');
      globalAgent.destroy();
      server.close();
    });
  });
});
