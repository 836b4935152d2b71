'use strict';

/** A forgotten copy of the module is collected, and the addon outlives the worker that loaded it. */

const { describeOurs, itLinux, ROOT, runNode, serve } = require('../support');

/** Runs `main(args)` in a process that has not loaded the module. */
function run(main, args, execArgv = []) {
  return runNode([...execArgv, '-e', `(${main})(${JSON.stringify(args)})`], { timeout: 30000 });
}

/** Loads copies of the module, makes a request with each, and forgets them. */
async function loadAndForget({ root, address, count }) {
  const copies = [];
  async function useACopy() {
    // Not this script's own require(), which remembers what it has loaded.
    const http = require('node:module').createRequire(`${root}/forgotten.js`)(root);
    copies.push(new WeakRef(http));
    const agent = new http.Agent({ keepAlive: true });
    await new Promise((resolve, reject) => {
      http.get({ ...address, agent }, (res) => res.resume().once('end', resolve)).once('error', reject);
    });
    agent.destroy();
    for (const file of Object.keys(require.cache)) {
      if (file.startsWith(root) && !file.endsWith('.node')) delete require.cache[file];
    }
  }
  for (let i = 0; i < count; i++) await useACopy();
  const left = () => copies.filter((copy) => copy.deref() !== undefined).length;
  const deadline = Date.now() + 20000;
  // One is reachable from the cache: the addon, which is not loaded again, knows who has loaded it.
  while (left() > 1 && Date.now() < deadline) {
    await new Promise((resolve) => { setImmediate(resolve); });
    globalThis.gc();
  }
  console.log(left() <= 1 ? 'collected' : `${left()} of ${count} are left`);
}

/** Uses the module in one worker after the other, and never in this thread; then tells whether the addon is loaded. */
async function useInWorkersOnly({ root, address, count }) {
  const { Worker } = require('node:worker_threads');
  const source = `require(${JSON.stringify(root)}).get(${JSON.stringify(address)}, (res) => res.resume());`;
  for (let i = 0; i < count; i++) {
    await new Promise((resolve, reject) => {
      new Worker(source, { eval: true }).once('error', reject).once('exit', resolve);
    });
  }
  console.log(/ferrequest\S*\.node/.test(require('node:fs').readFileSync('/proc/self/maps', 'utf8')));
}

describeOurs('a copy of the module that nobody can reach any more', () => {
  it('is collected, with its buffers and its bridge', async () => {
    const peer = await serve((req, res) => res.end('hello'));
    const args = { root: ROOT, address: peer.address, count: 6 };
    const result = await run(loadAndForget, args, ['--expose-gc']);
    expect(result).toMatchObject({ code: 0, stderr: '', stdout: 'collected\n' });
  });

  it('is collected, with the memory that it has laid out for large bodies', async () => {
    const body = Buffer.alloc(4_000_000, 'b');
    const peer = await serve((req, res) => res.end(body));
    const args = { root: ROOT, address: peer.address, count: 6 };
    const result = await run(loadAndForget, args, ['--expose-gc']);
    expect(result).toMatchObject({ code: 0, stderr: '', stdout: 'collected\n' });
  });
});

describeOurs('the addon', () => {
  itLinux('stays loaded when the only thread that used it ends, and can be used by the next', async () => {
    const peer = await serve((req, res) => res.end('hello'));
    const result = await run(useInWorkersOnly, { root: ROOT, address: peer.address, count: 10 });
    expect(result).toMatchObject({ code: 0, stderr: '', stdout: 'true\n' });
    expect(peer.accepted).toHaveLength(10);
  });
});
