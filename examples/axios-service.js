'use strict';

/**
 * Runs a service that asks another one by axios. Its first line registers ferrequest, and the rest does not know of it.
 * `node --require ferrequest/register service.js` does the same without that line.
 */

require('ferrequest/register');

const axios = require('axios');
const http = require('node:http');

const { stats } = require('ferrequest');
const { listen } = require('./support/server.js');

const prices = { apples: 3, pears: 4 };

async function main() {
  const shop = await listen(http.createServer((request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ price: prices[request.url.slice(1)] }));
  }));

  const client = axios.create({ baseURL: shop.url, httpAgent: new http.Agent({ keepAlive: true, maxSockets: 10 }) });
  const service = await listen(http.createServer(async (_request, response) => {
    const answers = await Promise.all(Object.keys(prices).map((fruit) => client.get(fruit)));
    response.end(`one of each: ${answers.reduce((sum, { data }) => sum + data.price, 0)}`);
  }));

  const { data } = await axios.get(service.url);
  console.log(data);
  console.log(`${stats().requests} requests went through ferrequest`);
  await Promise.all([service.close(), shop.close()]);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
