/**
 * Runs the Jest suite with the Rust decoder over Node's own sockets, which is all that platforms without an I/O thread
 * have: `npm run test:stream`. What follows `--` goes to Jest. Tests of the I/O thread are left out, by what stats()
 * says.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const jest = path.join(root, 'node_modules', 'jest', 'bin', 'jest.js');
const { status } = spawnSync(process.execPath, [jest, ...process.argv.slice(2)], {
  cwd: root, stdio: 'inherit', env: { ...process.env, FERREQUEST: 'stream' },
});
process.exitCode = status ?? 1;
