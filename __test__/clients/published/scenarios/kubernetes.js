'use strict';

/** Kubernetes' client. It executes by ws, over node:http; it watches by undici, which ferrequest does not touch. */

const { PassThrough } = require('node:stream');

async function serveCluster(kit, { WebSocketServer }) {
  const peer = await kit.serve('cluster', (req, res) => {
    // Not by node:http.
    peer.watched.push(req.url);
    res.writeHead(200, { 'Content-Type': 'application/json' });
    for (const type of ['ADDED', 'MODIFIED'])
    {res.write(`${JSON.stringify({ type, object: { metadata: { name: 'p' } } })}\n`);}
    res.end();
  });
  peer.watched = [];
  const webSockets = new WebSocketServer({ server: peer.server, handleProtocols: () => 'v4.channel.k8s.io' });
  webSockets.on('connection', (socket, req) => {
    peer.asked.push(req.url.split('?')[0]);
    socket.send(Buffer.from('\x01hello'));
    socket.on('message', (data) => {
      socket.send(Buffer.concat([Buffer.from('\x02'), data.subarray(1)]));
      socket.send(Buffer.from('\x03{"status":"Success"}'));
    });
  });
  kit.cleanUp(() => webSockets.close());
  return peer;
}

function configOf({ KubeConfig }, port) {
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: 'c', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: 'u', token: 't' },
  );
  return config;
}

module.exports = {
  load: async () => ({ ...(await import('@kubernetes/client-node')), ...require('ws') }),
  node: [22, 19],
  scenarios: {
    'executes a command in a pod': {
      act: async (library, kit) => {
        const peer = await serveCluster(kit, library);
        const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), new PassThrough()];
        const status = await new Promise((resolve, reject) => {
          new library.Exec(configOf(library, peer.port))
            .exec('n', 'p', 'c', ['sh'], stdout, stderr, stdin, false, resolve)
            .then(() => stdin.write('input'), reject);
        });
        return { status, stdout: String(stdout.read()), stderr: String(stderr.read()), asked: peer.asked };
      },
      gives: {
        status: { status: 'Success' },
        stdout: 'hello',
        stderr: 'input',
        asked: ['/api/v1/namespaces/n/pods/p/exec'],
      },
    },
    watches: {
      act: async (library, kit) => {
        const peer = await serveCluster(kit, library);
        const types = [];
        const error = await new Promise((resolve) => {
          new library.Watch(configOf(library, peer.port)).watch(
            '/api/v1/pods',
            {},
            (type) => types.push(type),
            resolve,
          );
        });
        return { types, error: error?.message ?? null, watched: peer.watched };
      },
      gives: { types: ['ADDED', 'MODIFIED'], error: null, watched: ['/api/v1/pods?watch=true'] },
    },
  },
};
