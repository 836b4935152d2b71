'use strict';

/** The Network domain of the inspector (https://nodejs.org/api/inspector.html) tells of our requests as of Node's. */

const { spawnSync } = require('node:child_process');

const { MODULE_PATH, runNode, serve } = require('../support');

const FLAG = '--experimental-network-inspection';
/** Node is asked, because the flag is none of NODE_OPTIONS. */
const itInspects = spawnSync(process.execPath, [FLAG, '-e', '']).status === 0 ? it : it.skip;

/** Prints what the inspector tells of a POST, a request that fails, and a body in two pieces. */
async function main(http_, { port }) {
  const inspector = require('node:inspector');
  const { once } = require('node:events');
  const session = new inspector.Session();
  session.connect();
  session.on('inspectorNotification', ({ method, params }) => {
    if (!method.startsWith('Network.')) return;
    const { request = {}, response = {}, requestId, type, dataLength, errorText } = params;
    console.log(method, requestId !== undefined, type, request.method, request.url, JSON.stringify(request.headers),
      response.status, response.url, JSON.stringify(response.headers), response.mimeType, dataLength, errorText);
  });
  session.post('Network.enable');
  const post = http_.request({ host: '127.0.0.1', port, method: 'POST', path: '/x', headers: { 'X-A': 'b' } });
  post.end('body');
  const [res] = await once(post, 'response');
  for await (const chunk of res) console.log(String(chunk));
  const failing = http_.get({ host: '127.0.0.1', port, path: '/reset' });
  await once(failing, 'error');
  session.disconnect();
}

describe('the inspector', () => {
  itInspects('is told of requests, responses and failures, as of those of node:http', async () => {
    const peer = await serve((req, res) => {
      if (req.url === '/reset') {
        req.socket.destroy();
        return;
      }
      res.sendDate = false;
      res.setHeader('Content-Type', 'text/plain');
      req.resume().on('end', () => res.end('answer'));
    });
    const [ours, nodes] = await Promise.all([MODULE_PATH, 'node:http'].map((modulePath) => {
      const source = `(${main})(require(${JSON.stringify(modulePath)}), ${JSON.stringify({ port: peer.port })})`;
      return runNode([FLAG, '-e', source]);
    }));
    expect(nodes.code).toBe(0);
    expect(nodes.stdout).toContain('Network.requestWillBeSent');
    expect(ours.stdout).toBe(nodes.stdout);
  });
});
