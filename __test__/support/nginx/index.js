'use strict';

/** A real nginx (Debian: nginx-light) of the test's own: free port, own configuration, own folder. */

const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { unusedPort, until } = require('..');
const { pseudoRandomFile, sha256 } = require('../bytes');

// Debian has it where users other than root have no PATH to.
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

const hasNginx = !spawnSync('nginx', ['-v'], { env: { ...process.env, PATH } }).error;

/** Run where the machine has nginx. */
const [describeNginx, itNginx] = hasNginx ? [describe, it] : [describe.skip, it.skip];
if (!hasNginx) console.warn('Tests are skipped, because there is no nginx: apt-get install nginx-light');

/**
 * @typedef {object} Nginx
 * @property {{ host: string, port: number }} address
 * @property {string} socketPath where it listens too
 * @property {string} folder of its own; files/ in it is what `root` names
 * @property {() => Promise<{ active: number, accepted: number, requests: number }>} status its own counters
 * @property {() => Promise<void>} stop ends it and removes its folder
 */

/**
 * Starts nginx.
 * @param {string} locations what the server block holds, in nginx's language
 * @returns {Promise<Nginx>}
 */
async function startNginx(locations) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-nginx-'));
  fs.mkdirSync(path.join(folder, 'files'));
  for (let attempt = 1; ; attempt++) {
    const port = await unusedPort();
    const child = launch(folder, configuration(folder, port, locations));
    if (await isReady(child, port)) return running(child, folder, port);
    const log = fs.readFileSync(path.join(folder, 'error.log'), 'utf8');
    // Somebody else may have taken the port since it was found free.
    if (attempt === 5 || !log.includes('Address already in use')) throw new Error(`nginx did not start:\n${log}`);
  }
}

function configuration(folder, port, locations) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
    daemon off;
    master_process off;
    pid ${folder}/nginx.pid;
    error_log ${folder}/error.log warn;
    events { worker_connections 512; }
    http {
      access_log off;
      default_type application/octet-stream;
      ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}
      server {
        listen 127.0.0.1:${port};
        listen unix:${folder}/socket;
        root ${folder}/files;
        location = /status { stub_status; }
        ${locations}
      }
    }`;
}

function launch(folder, text) {
  const file = path.join(folder, 'nginx.conf');
  fs.writeFileSync(file, text);
  fs.rmSync(path.join(folder, 'socket'), { force: true });
  fs.writeFileSync(path.join(folder, 'error.log'), '');
  return spawn('nginx', ['-p', folder, '-c', file, '-e', path.join(folder, 'error.log')], {
    env: { ...process.env, PATH }, stdio: 'ignore',
  });
}

/** @returns {Promise<boolean>} true when it takes connections, false when it has ended instead */
async function isReady(child, port) {
  let ready = false;
  await until(async () => {
    ready = await canConnect(port);
    return ready || child.exitCode !== null;
  }, 'nginx to start');
  return ready && child.exitCode === null;
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
}

function running(child, folder, port) {
  const status = async () => {
    const text = await ask(port, '/status');
    const [active, accepted, , requests] = text.split('\r\n\r\n')[1].match(/\d+/g).map(Number);
    return { active, accepted, requests };
  };
  const stop = async () => {
    if (child.exitCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
    fs.rmSync(folder, { recursive: true, force: true });
  };
  return { address: { host: '127.0.0.1', port }, socketPath: `${folder}/socket`, folder, status, stop };
}

/** Asks without the module under test, whose work is to be counted. */
async function ask(port, target) {
  const socket = net.connect(port, '127.0.0.1');
  socket.write(`GET ${target} HTTP/1.0\r\n\r\n`);
  return (await socket.setEncoding('latin1').toArray()).join('');
}

/**
 * Writes a file of pseudo-random bytes for nginx to serve.
 * @param {Nginx} nginx
 * @param {string} name
 * @param {number} size
 * @returns {string} its SHA-256
 */
function writeFile(nginx, name, size) {
  const bytes = pseudoRandomFile(size);
  fs.writeFileSync(path.join(nginx.folder, 'files', name), bytes);
  return sha256(bytes);
}

module.exports = { describeNginx, itNginx, startNginx, writeFile };
