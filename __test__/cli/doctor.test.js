'use strict';

/** `ferrequest doctor` tells of this machine, and of libraries that stand before the client. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { cleanUp } = require('../support/cleanup');
const { ROOT } = require('../support/child');
const { diagnose } = require('../..');
const { command } = require('./command');

/** @returns {Promise<{ code: number, account: any }>} what it says in JSON */
async function doctor(args, options) {
  const { code, stdout } = await command(['doctor', '--json', ...args], options);
  return { code, account: JSON.parse(stdout) };
}

/** Makes the folder of a program that has a library which wraps http.request, as tracing does. */
function programWithTracer() {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-doctor-')));
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  const tracer = path.join(folder, 'node_modules/tracer');
  fs.mkdirSync(tracer, { recursive: true });
  fs.symlinkSync(ROOT, path.join(folder, 'node_modules/ferrequest'));
  fs.writeFileSync(path.join(tracer, 'package.json'), JSON.stringify({ name: 'tracer', main: 'index.js' }));
  fs.writeFileSync(path.join(tracer, 'index.js'), `const http = require('http');
const original = http.request;
http.request = function traced(...args) { return original(...args); };
http.request.__original = original;
http.get = new Proxy(http.get, { apply: (target, self, args) => Reflect.apply(target, self, args) });
`);
  return { folder, index: path.join(tracer, 'index.js') };
}

describe('ferrequest doctor', () => {
  it('names client, Node, binary and platform, and has made a request by them', async () => {
    const { code, stdout, stderr } = await command(['doctor']);
    const { addon, mode } = diagnose();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^client +${mode}: `, 'm'));
    expect(stdout).toMatch(new RegExp(`^node +node ${process.versions.node} `, 'm'));
    expect(stdout).toMatch(/^request +answered in [\d.]+ m?s, by ferrequest$/m);
    expect(stdout).toMatch(/^registered +no$/m);
    expect(stdout).toContain('by nothing else');
    expect(stdout).toContain(addon.file);
    expect(stdout).toContain("require('ferrequest')");
    // eslint-disable-next-line no-control-regex -- there must be no colours where there is no terminal
    expect(stdout).not.toMatch(/\u001b/);
  });

  it('says which library is before ours, where it is, and that ours is below it', async () => {
    const { folder, index } = programWithTracer();
    const { code, account } = await doctor(['-r', 'ferrequest/register', '-r', 'tracer'], { cwd: folder });
    expect(code).toBe(0);
    expect(account.registered.by).toContain(ROOT);
    expect(account.wrapped['http.request']).toMatchObject([
      { name: 'tracer', file: index, line: 3 }, { name: 'ferrequest' }]);
    expect(account.wrapped['http.get']).toMatchObject([
      { name: 'tracer', file: index, line: 5 }, { name: 'ferrequest' }]);
    expect(account.problems).toEqual([]);
  });

  it('calls it a problem that a library came first, which sees no requests then', async () => {
    const { folder } = programWithTracer();
    const { code, account } = await doctor(['-r', 'tracer', '-r', 'ferrequest/register'], { cwd: folder });
    expect(code).toBe(1);
    expect(account.wrapped['http.request']).toMatchObject([{ name: 'ferrequest' }]);
    expect(account.problems).toEqual([
      expect.stringContaining('tracer had replaced http.request before ferrequest did'),
      expect.stringContaining('tracer had replaced http.get before ferrequest did'),
    ]);
  });

  it('advises to register before a library that is there', async () => {
    const { folder } = programWithTracer();
    const { stdout } = await command(['doctor', '-r', 'tracer'], { cwd: folder });
    expect(stdout).toMatch(/^ {2}http\.request +tracer \(.+:3\) around node \(node:http:\d+\)$/m);
    expect(stdout).toContain('Load ferrequest/register before tracer');
  });

  it('gives cause and remedy where no addon loads, and ends with 1', async () => {
    const { code, account } = await doctor([], { execArgv: ['--no-addons'] });
    expect(code).toBe(1);
    expect(account.diagnosis).toMatchObject({ mode: 'node', code: 'ERR_FERREQUEST_ADDON_NOT_ALLOWED' });
    expect(account.request).toMatchObject({ ok: true, byOurs: false });
    expect(account.problems).toEqual([expect.stringContaining('Take that away')]);
    const strict = await command(['doctor'], { execArgv: ['--no-addons'], env: { FERREQUEST: 'strict' } });
    expect(strict).toMatchObject({ code: 1, stdout: '' });
    expect(strict.stderr).toMatch(/^ferrequest: .*--no-addons.*\n$/);
  });

  it('ends with 0 where FERREQUEST=off has switched it off, and says so', async () => {
    const { code, account } = await doctor([], { env: { FERREQUEST: 'off' } });
    expect([code, account.diagnosis.mode, account.problems]).toEqual([0, 'node', []]);
    expect(account.advice).toEqual([expect.stringContaining('FERREQUEST=off')]);
  });

  it('says in one line which module cannot be loaded', async () => {
    const { code, stderr } = await command(['doctor', '-r', './no-such-module']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ferrequest: \.\/no-such-module cannot be loaded: .*$/m);
    expect(stderr).not.toContain('    at ');
  });
});
