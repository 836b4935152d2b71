'use strict';

/** The package loads some modules at once, and the others with the first request. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { cleanUp, describeOurs, isNative, runNode } = require('../support');
const { ROOT } = require('../support/child');

const MODEL = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
const itLoads = process.allowedNodeEnvironmentFlags.has('--allow-addons') ? it : it.skip;

/** Modules of Node that take long to load, and that node:http does not load. */
const SLOW = ['crypto', 'dns', 'https', 'os', 'tls', 'vm', 'perf_hooks'];

/**
 * Runs a script in which `files()` gives the files of dist/ that have been loaded, and `exchange(client, then)` makes a
 * request.
 */
async function run(script, { folder = ROOT, execArgv = [] } = {}) {
  const source = `
    const nodeHttp = require('node:http');
    const path = require('node:path');
    const files = () => Object.keys(require.cache).filter((file) => path.basename(path.dirname(file)) === 'dist')
      .map((file) => path.basename(file)).sort().join(' ');
    const exchange = (http, then) => {
      const server = nodeHttp.createServer((_, res) => res.end('answer')).listen(0, '127.0.0.1', () => {
        http.get({ host: '127.0.0.1', port: server.address().port, agent: new http.Agent() }, (res) => {
          res.resume().on('end', () => {
            server.close();
            then();
          });
        });
      });
    };
    ${script}`;
  const { stdout, stderr, code } = await runNode([...execArgv, '-e', source], { cwd: folder });
  return { lines: stdout.trim().split('\n'), stderr, code };
}

/** Copies the package with its bundle into a folder of a program. */
function installCopy() {
  const top = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'ferrequest-loading-')));
  cleanUp(() => fs.rmSync(top, { recursive: true, force: true }));
  const folder = path.join(top, 'node_modules', 'ferrequest');
  fs.mkdirSync(folder, { recursive: true });
  const addons = fs.readdirSync(ROOT).filter((name) => name.endsWith('.node'));
  for (const name of ['dist', 'package.json', ...addons]) {
    fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  }
  return { top, dist: path.join(folder, 'dist') };
}

describeOurs('the package', () => {
  it('loads what requests need with the first of them, in one file', async () => {
    const { lines, stderr } = await run(`
      const http = require('ferrequest');
      class Derived extends http.ClientRequest {}
      new http.Agent({ keepAlive: true });
      console.log(files());
      exchange(http, () => {
        console.log(files());
        http.stats();
        console.log(files());
      });`);
    expect({ lines, stderr }).toEqual({
      lines: [
        'ferrequest.js index.js',
        'ferrequest.js index.js requests.js',
        'ferrequest.js index.js later.js requests.js',
      ],
      stderr: '',
    });
  });

  it('asks Node for its private parts with the first request', () => {
    const code = fs.readFileSync(path.join(ROOT, 'dist', 'requests.js'), 'utf8');
    expect(code).toContain("'lib/node/internals.js': (function");
  });

  it.each([
    ['retry', '{ retry: {} }'],
    ['dns', '{ dns: {} }'],
    ['autoSelectFamily', '{ autoSelectFamily: "race" }'],
  ])('loads what the option %s needs with the first agent that has it', async (_name, options) => {
    const { lines, stderr } = await run(`
      const http = require('ferrequest');
      const server = nodeHttp.createServer((_, res) => res.end('answer')).listen(0, '127.0.0.1', () => {
        console.log(files());
        const { port } = server.address();
        http.get({ host: 'localhost', family: 4, port, agent: new http.Agent(${options}) }, (res) => {
          res.resume().on('end', () => {
            server.close();
            console.log(files());
          });
        });
      });`);
    expect({ lines, stderr }).toEqual({
      lines: ['ferrequest.js index.js', 'ferrequest.js index.js later.js requests.js'], stderr: '',
    });
  });

  it.each([
    ['ferrequest/https', 'ferrequest.js https.js tls.js'],
    ['ferrequest/register', 'ferrequest.js register.js tls.js'],
  ])('loads for %s what has to do with TLS', async (name, files) => {
    const { lines, stderr } = await run(`require('${name}'); console.log(files());`);
    expect({ lines, stderr }).toEqual({ lines: [files], stderr: '' });
  });

  it('has Node load no module that takes long', async () => {
    const { lines, stderr } = await run(`
      const list = () => ${JSON.stringify(SLOW)}
        .filter((name) => process.moduleLoadList.includes('NativeModule ' + name));
      const before = list();
      require('ferrequest');
      console.log(JSON.stringify(list().filter((name) => !before.includes(name))));`);
    expect({ lines, stderr }).toEqual({ lines: ['[]'], stderr: '' });
  });

  it('starts no thread and makes no connection until the first request', async () => {
    const { lines } = await run(`
      const http = require('ferrequest');
      const { mode, connectionsOpened } = http.stats();
      console.log(mode, connectionsOpened, process.getActiveResourcesInfo().length);`);
    expect(lines).toEqual([`${isNative ? 'native' : 'stream'} 0 0`]);
  });

  it('reads the options of Node when it is loaded: a program sets others later, for its children', async () => {
    const { lines } = await run(`
      const http = require('ferrequest');
      process.env.NODE_OPTIONS = '--insecure-http-parser';
      process.execArgv.push('--insecure-http-parser');
      const server = require('node:net').createServer((socket) => {
        socket.end('HTTP/1.1 200 OK\\r\\nA: \\x01\\r\\nContent-Length: 0\\r\\n\\r\\n').on('error', () => {}).resume();
      }).listen(0, '127.0.0.1', () => {
        const end = (what) => {
          console.log(what);
          server.close();
        };
        http.get({ host: '127.0.0.1', port: server.address().port, agent: new http.Agent() }, (res) => end('response'))
          .on('error', ({ code }) => end(code));
      });`);
    expect(lines).toEqual(['HPE_INVALID_HEADER_TOKEN']);
  });

  it('knows what is Node\'s own, although a library replaces it between loading and the first request', async () => {
    const { lines, stderr } = await run(`
      const http = require('ferrequest');
      const { createSocket } = nodeHttp.Agent.prototype;
      const agent = new http.Agent();
      const seen = [];
      for (const name of ['ClientRequest', 'IncomingMessage', 'OutgoingMessage']) {
        nodeHttp[name] = function Replaced() { throw new Error(name + ' is replaced'); };
      }
      nodeHttp.Agent.prototype.getName = () => 'name of the library';
      nodeHttp.Agent.prototype.createSocket = function (req, options, done) {
        seen.push('created');
        return createSocket.call(this, req, options, done);
      };
      const server = nodeHttp.createServer((_, res) => res.end('answer')).listen(0, '127.0.0.1', () => {
        http.get({ host: '127.0.0.1', port: server.address().port, agent }, (res) => {
          seen.push(...Object.keys(agent.sockets));
          res.resume().on('end', () => {
            console.log(seen.join());
            server.close();
          });
        });
      });`);
    expect({ lines, stderr }).toEqual({ lines: ['created,name of the library'], stderr: '' });
  });

  itLoads('is loaded whole where a program may give up reading files', async () => {
    const { top } = installCopy();
    const execArgv = [MODEL, '--allow-addons', '--allow-fs-read=*', '--no-warnings'];
    const { lines, stderr } = await run(`
      const http = require('ferrequest');
      console.log(files());
      if (process.permission.drop) process.permission.drop('fs.read');
      exchange(http, () => console.log('exchanged'));`, { folder: top, execArgv: [...execArgv, ...netFlags()] });
    expect({ lines, stderr })
      .toEqual({ lines: ['ferrequest.js index.js later.js requests.js tls.js', 'exchanged'], stderr: '' });
  });

  it('says that it has been replaced, where the first request finds the file of another build', async () => {
    const { top, dist } = installCopy();
    const script = `
      const http = require('ferrequest');
      const fs = require('node:fs');
      const file = ${JSON.stringify(path.join(dist, 'requests.js'))};
      const text = fs.readFileSync(file, 'utf8');
      fs.writeFileSync(file, text.replace(/^build: '\\w+'/m, "build: 'other'"));
      try {
        http.get('http://127.0.0.1:1');
      } catch ({ code, message }) {
        console.log(code, message);
      }`;
    const { lines } = await run(script, { folder: top });
    expect(lines).toEqual([expect.stringMatching(/^ERR_FERREQUEST_REPLACED ferrequest: .*#err_ferrequest_replaced$/)]);
  });
});

/** @returns {string[]} The options by which a process under the permission model may use the network. */
function netFlags() {
  return process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : [];
}
