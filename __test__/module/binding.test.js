'use strict';

const { copyFileSync, mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { runNode, ROOT } = require('../support/child.js');

let folder;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'ferrequest-binding-'));
  copyFileSync(path.join(ROOT, 'binding.js'), path.join(folder, 'binding.js'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/**
 * @param {{ platform?: string, arch?: string }} [as] the machine that the process is to believe in
 * @returns {Promise<{ code: string, message: string, cause?: string }>} the error of loading the copy in `folder`
 */
async function loadError(as = {}) {
  const script = (file, properties) => {
    for (const [name, value] of Object.entries(properties)) Object.defineProperty(process, name, { value });
    try {
      require(file);
    } catch ({ code, message, cause }) {
      console.log(JSON.stringify({ code, message, cause: cause?.code }));
    }
  };
  const source = `(${script})(${JSON.stringify(path.join(folder, 'binding.js'))}, ${JSON.stringify(as)})`;
  const { stdout, stderr } = await runNode(['-e', source]);
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

describe('the addon loader', () => {
  it('names the files that it looked for when there is none for this platform', async () => {
    const { code, message } = await loadError({ platform: 'linux', arch: 'riscv64' });
    expect(code).toBe('ERR_FERREQUEST_NO_ADDON');
    expect(message).toContain('no addon for linux-riscv64');
    expect(message).toContain('ferrequest.linux-riscv64-gnu.node and ferrequest.linux-riscv64-musl.node');
    expect(message).toContain(folder);
    expect(message).toContain('npm run build');
  });

  it('asks for a file without a C library in its name where there is one only', async () => {
    const { code, message } = await loadError({ platform: 'darwin', arch: 'arm64' });
    expect(code).toBe('ERR_FERREQUEST_NO_ADDON');
    expect(message).toContain('looked for ferrequest.darwin-arm64.node in');
  });

  it('passes on why a file that is there does not load', async () => {
    const platform = process.platform === 'linux' ? 'linux' : 'darwin';
    const suffix = platform === 'linux' ? '-gnu' : '';
    const file = path.join(folder, `ferrequest.${platform}-${process.arch}${suffix}.node`);
    writeFileSync(file, 'not an addon');
    const { code, message, cause } = await loadError({ platform });
    expect(code).toBe('ERR_FERREQUEST_ADDON_LOAD');
    expect(message).toContain(file);
    expect(cause).toBe('ERR_DLOPEN_FAILED');
  });
});
