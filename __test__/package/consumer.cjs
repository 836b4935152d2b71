'use strict';

// Run by scripts/test-package.mjs in a project that has nothing but the installed package.
const assert = require('node:assert/strict');
const http = require('node:http');
const https = require('node:https');
const ferrequest = require('ferrequest');
const ferrequestHttps = require('ferrequest/https');

for (const name of Object.keys(http)) assert(name in ferrequest, `ferrequest lacks ${name}`);
for (const name of Object.keys(https)) assert(name in ferrequestHttps, `ferrequest/https lacks ${name}`);
assert.notEqual(ferrequest.request, http.request);
assert.notEqual(ferrequestHttps.request, https.request);
assert.equal(require('ferrequest/package.json').name, 'ferrequest');

const server = http.createServer((request, response) => request.pipe(response));
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const request = ferrequest.request({ port, host: '127.0.0.1', method: 'POST' }, (response) => {
    assert(response instanceof ferrequest.ClientResponse);
    response.setEncoding('utf8');
    let body = '';
    response.on('data', (chunk) => { body += chunk; });
    response.on('end', () => {
      assert.equal(body, 'sent by CommonJS');
      assert.equal(ferrequest.stats().responses, 1);
      const best = process.platform === 'win32' ? 'stream' : 'native';
      assert.equal(ferrequest.stats().mode, best, ferrequest.stats().reason);
      server.close();
      ferrequest.globalAgent.destroy();
      console.log('ok   require(\'ferrequest\') makes a request');
    });
  });
  request.write('sent by ');
  request.end('CommonJS');
});
