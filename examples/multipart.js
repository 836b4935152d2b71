'use strict';

/** Uploads a form with a field and a file as multipart/form-data, by the package form-data, which streams the file. */

const fs = require('node:fs');
const FormData = require('form-data');
const { createServer } = require('node:http');
const { once } = require('node:events');
const { json, text } = require('node:stream/consumers');
const { pipeline } = require('node:stream/promises');

const http = require('ferrequest');
const { listen } = require('./support/server.js');

/** Answers with the type, the length and the field names of the form that it gets. */
async function receive(request, response) {
  const body = await text(request);
  const names = [...body.matchAll(/^Content-Disposition: form-data; name="([^"]*)"/gm)].map(([, name]) => name);
  const type = request.headers['content-type'].split(';')[0];
  response.end(JSON.stringify({ type, names, bytes: Buffer.byteLength(body) }));
}

async function main() {
  const server = await listen(createServer(receive));
  const form = new FormData();
  form.append('author', 'Ada');
  form.append('program', fs.createReadStream(__filename));
  const length = await new Promise((resolve, reject) => {
    form.getLength((error, bytes) => (error ? reject(error) : resolve(bytes)));
  });

  const headers = form.getHeaders({ 'Content-Length': length });
  const request = http.request(server.url, { method: 'POST', headers });
  const [[response]] = await Promise.all([once(request, 'response'), pipeline(form, request)]);
  const { type, names, bytes } = await json(response);
  console.log(`${type}: ${names.join(', ')}; ${bytes === length ? 'all' : 'not all'} bytes came`);
  await server.close();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
