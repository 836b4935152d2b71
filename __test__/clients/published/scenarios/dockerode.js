'use strict';

/** Docker's client, over a Unix domain socket, against a daemon that answers as Docker's does. */

const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { PassThrough, Readable } = require('node:stream');
const { text } = require('node:stream/consumers');
const { sha256, DOWNLOAD } = require('../peers');

const RAW_STREAM =
  'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n' +
  'Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n';

/** A frame of Docker's multiplexed stream: 1 is stdout, 2 is stderr. */
function frame(stream, payload) {
  const head = Buffer.alloc(8);
  head.writeUInt8(stream, 0);
  head.writeUInt32BE(payload.length, 4);
  return Buffer.concat([head, Buffer.from(payload)]);
}

/** As much of Docker's daemon as the scenarios ask of it. */
async function serveDocker(kit) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-'));
  kit.cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  const socketPath = path.join(folder, 'docker.sock');
  const json = (res, status, value) =>
    res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
  const peer = await kit.serve(
    'docker',
    async (req, res) => {
      const url = req.url.split('?')[0];
      peer.asked.push(`${req.method} ${url}`);
      if (url === '/build' || url === '/images/load') {
        const bytes = Buffer.concat(await req.toArray());
        res.writeHead(200, { 'Content-Type': 'application/json' });
        for (const line of [`Step 1/1 : ${sha256(bytes).slice(0, 12)}`, 'Successfully built'])
        {res.write(`${JSON.stringify({ stream: line })}\r\n`);}
        res.end();
        return;
      }
      if (url === '/events') {
        res.writeHead(200, { 'Content-Type': 'application/json' });
        for (const status of ['create', 'start']) res.write(`${JSON.stringify({ status })}\n`);
        return;
      }
      req.resume();
      if (url === '/containers/json') json(res, 200, [{ Id: 'c1' }]);
      else if (url === '/containers/c1/exec') json(res, 201, { Id: 'e1' });
      else if (url === '/exec/e1/json') json(res, 200, { ExitCode: 3 });
      else if (url === '/containers/c1/logs') res.end(Buffer.concat([frame(1, 'out\n'), frame(2, 'err\n')]));
      else json(res, 404, { message: 'No such container' });
    },
    socketPath,
  );
  // A hijacked connection is the daemon's standard streams from the answer on.
  peer.server.on('upgrade', (req, socket, head) => {
    const url = req.url.split('?')[0];
    peer.asked.push(`${req.method} ${url} upgrade`);
    const length = Number(req.headers['content-length'] ?? 0);
    let input = head;
    let isAnswered = false;
    const take = () => {
      if (!isAnswered && input.length < length) return;
      if (!isAnswered) {
        isAnswered = true;
        input = input.subarray(length);
        // In one piece with what the process says first.
        socket.write(Buffer.concat([Buffer.from(RAW_STREAM), frame(1, 'ready\n')]));
      }
      if (input.length > 0) socket.write(frame(1, `got ${input}`));
      input = Buffer.alloc(0);
    };
    const add = (chunk) => {
      input = Buffer.concat([input, chunk]);
      take();
    };
    take();
    // Newer versions of Node give the body of such a request by itself.
    req.on('data', add);
    socket.on('data', add);
    socket.on('end', () => socket.end(frame(2, 'bye\n')));
  });
  return Object.assign(peer, { socketPath });
}

async function dockerOf(Docker, kit) {
  const peer = await serveDocker(kit);
  const docker = new Docker({
    socketPath: peer.socketPath,
    agent: kit.agent({ keepAlive: true, socketPath: peer.socketPath }),
  });
  return { peer, docker };
}

/** Talks with a process over its hijacked connection. */
async function talk(docker, stream) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  docker.modem.demuxStream(stream, stdout, stderr);
  const said = [];
  stdout.on('data', (chunk) => said.push(String(chunk)));
  while (said.length === 0) await once(stdout, 'data');
  for (const line of ['one', 'two']) {
    stream.write(line);
    await once(stdout, 'data');
  }
  stream.end();
  const [bye] = await once(stderr, 'data');
  return [...said, String(bye)];
}

module.exports = {
  load: async () => require('dockerode'),
  given: 'agent',
  scenarios: {
    'lists containers, and tells that there is none': {
      act: async (Docker, kit) => {
        const { docker } = await dockerOf(Docker, kit);
        const containers = await docker.listContainers();
        const { statusCode, reason } = await docker
          .getContainer('none')
          .inspect()
          .catch((error) => error);
        return { containers, statusCode, reason };
      },
      gives: { containers: [{ Id: 'c1' }], statusCode: 404, reason: 'no such container' },
    },
    'attaches to a container, both ways': {
      act: async (Docker, kit) => {
        const { docker } = await dockerOf(Docker, kit);
        const stream = await docker
          .getContainer('c1')
          .attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
        return talk(docker, stream);
      },
      gives: ['ready\n', 'got one', 'got two', 'bye\n'],
    },
    'executes a command, hijacks its streams, and asks for its exit code': {
      act: async (Docker, kit) => {
        const { docker } = await dockerOf(Docker, kit);
        const exec = await docker.getContainer('c1').exec({ Cmd: ['sh'], AttachStdin: true, AttachStdout: true });
        const stream = await exec.start({ hijack: true, stdin: true });
        const said = await talk(docker, stream);
        return { said, ...(await exec.inspect()) };
      },
      gives: { said: ['ready\n', 'got one', 'got two', 'bye\n'], ExitCode: 3 },
    },
    'reads logs': {
      act: async (Docker, kit) => {
        const { docker } = await dockerOf(Docker, kit);
        const stream = await docker.getContainer('c1').logs({ follow: true, stdout: true, stderr: true });
        const [stdout, stderr] = [new PassThrough(), new PassThrough()];
        docker.modem.demuxStream(stream, stdout, stderr);
        stream.once('end', () => {
          stdout.end();
          stderr.end();
        });
        return Promise.all([text(stdout), text(stderr)]);
      },
      gives: ['out\n', 'err\n'],
    },
    'builds an image from a stream, and follows its progress': {
      act: async (Docker, kit) => {
        const { docker } = await dockerOf(Docker, kit);
        const pieces = Array.from({ length: 20 }, (_, index) =>
          DOWNLOAD.subarray(index * 100_000, (index + 1) * 100_000),
        );
        const stream = await docker.buildImage(Readable.from(pieces), { t: 'x' });
        return new Promise((resolve, reject) => {
          docker.modem.followProgress(stream, (error, output) =>
            error ? reject(error) : resolve(output.map((line) => line.stream)),
          );
        });
      },
      gives: [`Step 1/1 : ${sha256(DOWNLOAD.subarray(0, 2_000_000)).slice(0, 12)}`, 'Successfully built'],
    },
    'hears events until it has heard enough': {
      act: async (Docker, kit) => {
        const { peer, docker } = await dockerOf(Docker, kit);
        const stream = await docker.getEvents();
        let heard = '';
        for await (const chunk of stream) {
          heard += chunk;
          if (heard.includes('start')) break;
        }
        stream.destroy();
        await kit.untilClosed(peer);
        return heard
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line).status);
      },
      gives: ['create', 'start'],
    },
  },
};
