'use strict';

/** `ferrequest get`: bodies, redirects, phases, exit codes, and the bar, which only a terminal gets. */

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');

const { certificate, cleanUp, serve, serveRaw, socketPath, unusedPort } = require('../support');
const { CLEAN, MAIN, command } = require('./command');
const { commandOnTerminal, hasTerminal } = require('./terminal');

const BODY = Buffer.alloc(1_000_000, 'ferrequest ');
const itOnTerminal = hasTerminal ? it : it.skip;

/** @returns {string} a file that is removed after the test */
const scratchFile = () => path.join(path.dirname(socketPath()), 'body');

const get = (...args) => command(['get', ...args]);

/** Answers with what was asked, as JSON. */
async function echo(request, response) {
  let body = '';
  for await (const chunk of request) body += chunk;
  const { headers, method, url } = request;
  response.end(JSON.stringify({ method, url, headers, body }));
}

describe('ferrequest get', () => {
  it('streams the body to stdout, and prints status and phases on stderr', async () => {
    const { port } = await serve((_request, response) => response.end(BODY));
    const { code, stdout, stderr } = await get(`127.0.0.1:${port}/big`);
    expect({ code, isWhole: stdout === BODY.toString() }).toEqual({ code: 0, isWhole: true });
    const [status, names, times, ...rest] = stderr.split('\n');
    expect(status).toMatch(/^HTTP\/1\.1 200 OK {2}976\.6 KiB/);
    expect(names.trim().split(/ +/)).toEqual(['wait', 'dns', 'tcp', 'request', 'firstByte', 'download', 'total']);
    expect(times).toMatch(/^ *([\d.]+ m?s *){7}$/);
    expect(rest).toEqual(['']);
    // eslint-disable-next-line no-control-regex -- there must be no colours where there is no terminal
    expect(stdout + stderr).not.toMatch(/\u001b/);
  });

  it('sends method, header fields and data, and shows both headers with -v', async () => {
    const { port } = await serve(echo);
    const { code, stdout, stderr } = await get('-v', '-X', 'PUT', '-H', 'X-One: 1', '-H', 'content-type: text/plain',
      '-d', 'a=1', '-d', 'b=2', `http://127.0.0.1:${port}/path?q`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      method: 'PUT', url: '/path?q', body: 'a=1&b=2',
      headers: { 'x-one': '1', 'content-type': 'text/plain', 'content-length': '7' },
    });
    expect(stderr).toContain('> PUT /path?q HTTP/1.1\n');
    expect(stderr).toContain('> x-one: 1\n');
    expect(stderr).toContain(`* connected to 127.0.0.1:${port}\n`);
    expect(stderr).toContain('< HTTP/1.1 200 OK\n');
  });

  it('sends a file, and says nothing with -s', async () => {
    const { port } = await serve(async (request, response) => {
      let length = 0;
      for await (const chunk of request) length += chunk.length;
      response.end(`${request.method} ${request.headers['content-length']} ${length}`);
    });
    const file = scratchFile();
    fs.writeFileSync(file, BODY);
    expect(await get('-s', '-d', `@${file}`, `127.0.0.1:${port}`)).toMatchObject({
      code: 0, stdout: `POST ${BODY.length} ${BODY.length}`, stderr: '' });
  });

  it('ends with the response, also while stdin is still to be sent', async () => {
    const { port } = await serve((_request, response) => {
      response.writeHead(413, { connection: 'close' }).end('too large');
    });
    const child = spawn(process.execPath, [MAIN, 'get', '-s', '-d', '@-', `127.0.0.1:${port}`], {
      env: { ...process.env, ...CLEAN } });
    cleanUp(() => child.kill('SIGKILL'));
    child.stdin.on('error', () => {});
    child.stdin.write('the first piece, and no other');
    let output = '';
    child.stdout.on('data', (chunk) => { output += chunk; });
    const code = await new Promise((resolve) => { child.once('close', resolve); });
    expect({ code, output }).toEqual({ code: 0, output: 'too large' });
  });

  it('follows redirects with -L, as a GET from a POST, and takes credentials to no other origin', async () => {
    const other = await serve(echo);
    const { port } = await serve((request, response) => {
      request.resume();
      const location = request.url === '/first' ? '/second' : `http://127.0.0.1:${other.port}/third`;
      response.writeHead(302, { location }).end();
    });
    const args = ['-s', '-d', 'x', '-H', 'Cookie: secret', '-H', 'X-Kept: 1'];
    const url = `http://user:secret@127.0.0.1:${port}/first`;
    const { code, stdout } = await get('-L', ...args, url);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ method: 'GET', url: '/third', body: '', headers: { 'x-kept': '1' } });
    expect(stdout).not.toMatch(/secret|authorization|content-type/);
    expect(await get('-v', ...args, url)).toMatchObject({
      code: 0, stdout: '', stderr: expect.stringContaining('< HTTP/1.1 302 Found') });
  });

  it('sends the body again for 307, and stops after ten redirects', async () => {
    const bodies = [];
    const { port } = await serve(async (request, response) => {
      for await (const chunk of request) bodies.push(`${request.method} ${chunk}`);
      response.writeHead(307, { location: '/' }).end();
      // The server never closes: a response that the command has forgotten would keep it for ever.
    }, { keepAliveTimeout: 0 });
    const { code, stderr } = await get('-L', '-d', 'x', `127.0.0.1:${port}`);
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'ferrequest: more than 10 redirects\n' });
    expect(bodies).toEqual(Array(11).fill('POST x'));
  });

  it('trusts the certificates that Node trusts, and any with -k', async () => {
    const server = https.createServer(certificate, (_request, response) => response.end('secret'));
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    cleanUp(() => new Promise((resolve) => { server.close(resolve).closeAllConnections(); }));
    const url = `https://127.0.0.1:${server.address().port}`;
    const refused = await get(url);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/certificate.*; -k accepts any certificate\n$/);
    const taken = await get('-k', '-v', url);
    expect(taken).toMatchObject({ code: 0, stdout: 'secret' });
    expect(taken.stderr).toMatch(/^\* connected to .*, TLSv1\.3, TLS_\w+$/m);
    expect(taken.stderr).toMatch(/ tls /);
  });

  it('ends with 1 for what fails: a connection, a body that is cut, a time that is up, a status with -f', async () => {
    const { port } = await serve((request, response) => {
      if (request.url === '/cut') {
        response.writeHead(200, { 'content-length': 9 }).write('half', () => response.destroy());
      } else if (request.url === '/never') response.write('begun');
      else response.writeHead(404).end('page');
    });
    const closed = await unusedPort();
    const [refused, cut, late, failed, taken] = await Promise.all([
      get(`127.0.0.1:${closed}`), get(`127.0.0.1:${port}/cut`), get('-m', '0.5', `127.0.0.1:${port}/never`),
      get('-f', `127.0.0.1:${port}`), get('-s', `127.0.0.1:${port}`)]);
    expect(refused).toMatchObject({ code: 1, stdout: '',
      stderr: `ferrequest: connect ECONNREFUSED 127.0.0.1:${closed} (phase: connect)\n` });
    expect(cut).toMatchObject({ code: 1, stdout: 'half', stderr: 'ferrequest: aborted (phase: read)\n' });
    expect(late).toMatchObject({ code: 1, stderr: 'ferrequest: it has not ended within 0.5 s\n' });
    expect(failed).toMatchObject({ code: 1, stdout: '', stderr: 'ferrequest: HTTP 404 Not Found\n' });
    expect(taken).toMatchObject({ code: 0, stdout: 'page' });
  });

  it('ends with 2 for what cannot be meant', async () => {
    const told = await Promise.all([['ftp://host'], ['-H', 'nothing', 'host'], ['-X', 'A B', '127.0.0.1:1'],
      ['-d', '@/no/such/file', 'host'], ['-m', 'soon', 'host']].map((args) => get(...args)));
    expect(told.map(({ code, stdout }) => [code, stdout])).toEqual(Array(5).fill([2, '']));
    expect(told.map(({ stderr }) => stderr.split('\n', 1)[0])).toEqual([
      'ferrequest: only http and https are spoken, not ftp',
      'ferrequest: a header field is "name: value", not "nothing"',
      expect.stringContaining('Method must be a valid HTTP token'),
      expect.stringContaining('the data cannot be read: ENOENT'),
      expect.stringContaining("argument 'soon' is invalid. It is a number from"),
    ]);
  });

  it("shows a server's control characters, and does not let the terminal obey them", async () => {
    const { port } = await serveRaw((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nX-Evil: \x9b2J\r\nContent-Length: 0\r\n\r\n', 'latin1'));
    });
    const { stderr } = await get('-v', `127.0.0.1:${port}`);
    expect(stderr).toContain('< X-Evil: \\x9b2J\n');
  });

  itOnTerminal('draws a bar on a terminal, and writes the file', async () => {
    const { port } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': BODY.length }).end(BODY);
    });
    const file = scratchFile();
    const { code, output } = await commandOnTerminal(['get', '-o', file, `127.0.0.1:${port}`]);
    expect(code).toBe(0);
    expect(fs.readFileSync(file).equals(BODY)).toBe(true);
    expect(output).toMatch(/█{10,40} 100% of 976\.6 KiB {2}[\d.]+ \w+\/s/);
    expect(output).toContain('\u001b[32mHTTP/1.1 200 OK');
    // Nothing that would stay so when the command is interrupted: no hidden cursor, no line wrapping switched off.
    expect(output).not.toMatch(/\u001b\[\?(?:25|7)l/); // eslint-disable-line no-control-regex
  });

  itOnTerminal('counts a body of unknown length on a terminal, where no bar can say how much is left', async () => {
    const { port } = await serve((_request, response) => response.write(BODY, () => response.end()));
    const { output } = await commandOnTerminal(['get', '-o', scratchFile(), `127.0.0.1:${port}`]);
    expect(output).toMatch(/976\.6 KiB {2}[\d.]+ \w+\/s/);
    expect(output).not.toContain('█');
  });

  itOnTerminal('draws neither bar nor colour with NO_COLOR', async () => {
    const { port } = await serve((_request, response) => response.end(BODY));
    const { output } = await commandOnTerminal(['get', '-o', scratchFile(), `127.0.0.1:${port}`], { NO_COLOR: '1' });
    expect(output).toMatch(/^HTTP\/1\.1 200 OK {2}976\.6 KiB/);
    // eslint-disable-next-line no-control-regex -- a terminal is there, and must get none
    expect(output).not.toMatch(/\u001b|█/);
  });

  itOnTerminal('writes no binary body to a terminal', async () => {
    const { port } = await serve((_request, response) => response.end(Buffer.from([1, 0, 2])));
    const { code, output } = await commandOnTerminal(['get', `127.0.0.1:${port}`]);
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('write it to a file with -o FILE') });
  });
});
