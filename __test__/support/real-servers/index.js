'use strict';

/** Servers that others have made, of the test's own: free ports, own configuration, own folder. */

const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const nodeHttp = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { pseudoRandomFile } = require('../bytes');
const certificates = require('../certificates');
const { unusedPort } = require('../unused-port');
const { until } = require('../wait');
const { MOST_BYTES, kinds } = require('./kinds');

// Debian has them where users other than root have no PATH to.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };

const isInstalled = ({ command }) => !spawnSync(command, ['-v'], { env }).error;
const installed = kinds.filter(isInstalled);
const absent = kinds.filter((kind) => !installed.includes(kind));
if (absent.length > 0) {
  const packages = absent.flatMap((kind) => kind.packages).join(' ');
  console.warn(`Tests are skipped, because there is no ${absent.map(({ name }) => name).join(', ')}: ` +
    `apt-get install ${packages}`);
}

/** Name, size in bytes and time of change of the file that each server has. */
const FILE = { path: '/file', bytes: pseudoRandomFile(300_000), changed: new Date('2024-02-29T12:00:00Z') };

/** What the origin behind a server answers, by path. */
const answers = {
  '/app/chunked': (req, res) => {
    res.write('first');
    res.end(FILE.bytes);
  },
  '/app/trailers': (req, res) => {
    res.writeHead(200, { 'Trailer': 'X-Sum', 'Transfer-Encoding': 'chunked' });
    res.write('body');
    res.addTrailers({ 'X-Sum': '42' });
    res.end();
  },
  '/app/empty': (req, res) => res.writeHead(204).end(),
  '/app/unchanged': (req, res) => res.writeHead(304, { ETag: '"1"' }).end(),
  '/app/early': (req, res) => {
    res.writeHead(200, { 'Content-Length': FILE.bytes.length });
    res.end(FILE.bytes);
  },
  '/app/echo': async (req, res) => {
    const body = Buffer.concat(await req.toArray());
    res.setHeader('X-Length', body.length);
    res.end(body);
  },
};

/** Starts what is behind the servers. It has their file, too, for those who have no files. */
async function startOrigin() {
  const file = (req, res) => {
    res.setHeader('Last-Modified', FILE.changed.toUTCString());
    res.setHeader('Content-Length', FILE.bytes.length);
    res.end(FILE.bytes);
  };
  const missing = (req, res) => res.writeHead(404).end('missing');
  const origin = nodeHttp.createServer((req, res) => {
    const answer = answers[req.url] ?? (req.url === FILE.path ? file : missing);
    // A request that is given up rejects there.
    Promise.resolve(answer(req, res)).catch(() => res.destroy());
  });
  // A server in front of it may use a connection again much later.
  origin.keepAliveTimeout = 0;
  await new Promise((resolve) => { origin.listen(0, '127.0.0.1', resolve); });
  return origin;
}

/**
 * @typedef {object} RealServer
 * @property {import('./kinds').Place['ports']} ports
 * @property {number} pid
 * @property {import('node:http').Server} origin what is behind it
 * @property {() => void} reload tells it to read its configuration again (SIGHUP)
 * @property {() => Promise<void>} stop ends it, its origin, and removes its folder
 */

/**
 * Starts a server.
 * @param {import('./kinds').Kind} kind
 * @param {{ mostRequests?: number }} [options] mostRequests: on a connection
 * @returns {Promise<RealServer>}
 */
async function startReal(kind, { mostRequests = 5 } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-real-'));
  // Some serve as another user than root.
  fs.chmodSync(folder, 0o755);
  fs.mkdirSync(path.join(folder, 'files'));
  const write = (name, content) => fs.writeFileSync(path.join(folder, name), content);
  const { local, ca } = certificates;
  write('cert.pem', local.cert);
  write('key.pem', local.key);
  write('both.pem', local.cert + local.key);
  write('ca.pem', ca);
  write('files/file', FILE.bytes);
  fs.utimesSync(path.join(folder, 'files/file'), FILE.changed, FILE.changed);
  const origin = await startOrigin();
  const stopOrigin = () => new Promise((resolve) => {
    origin.close(resolve);
    origin.closeAllConnections();
  });
  for (let attempt = 1; ; attempt++) {
    const ports = {};
    for (const name of ['plain', 'brief', 'tls', 'mutual']) ports[name] = await unusedPort();
    const place = { folder, ports, origin: origin.address().port, mostRequests };
    write('configuration', kind.configuration(place));
    const child = launch(kind, place);
    if (await child.isReady()) {
      const stop = async () => {
        await child.end();
        await stopOrigin();
        fs.rmSync(folder, { recursive: true, force: true });
      };
      return { ports, origin, pid: child.process.pid, reload: () => child.process.kill('SIGHUP'), stop };
    }
    await child.end();
    // Somebody else may have taken a port since it was found free.
    if (attempt === 3) {
      await stopOrigin();
      throw new Error(`${kind.name} did not start:\n${child.output()}`);
    }
  }
}

function launch(kind, place) {
  const { folder, ports } = place;
  const child = spawn(kind.command, kind.args(path.join(folder, 'configuration'), place), {
    env: { ...env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  const chunks = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    process: child,
    output: () => {
      const log = path.join(folder, 'error.log');
      return Buffer.concat(chunks) + (fs.existsSync(log) ? fs.readFileSync(log, 'utf8') : '');
    },
    isReady: async () => {
      await until(async () => hasEnded() || await canConnectToAll(ports), `${kind.name} to start`);
      return !hasEnded();
    },
    end: async () => {
      if (!hasEnded()) child.kill('SIGTERM');
      await ended;
    },
  };
}

async function canConnectToAll(ports) {
  for (const port of Object.values(ports)) {
    const isOpen = await new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1');
      socket.once('connect', () => { socket.destroy(); resolve(true); });
      socket.once('error', () => resolve(false));
    });
    if (!isOpen) return false;
  }
  return true;
}

module.exports = { FILE, MOST_BYTES, installed, startReal };
