'use strict';

/** docs/cli.md has commands that run as they are, and every option of the command line. */

const fs = require('node:fs');
const path = require('node:path');

const { ROOT, cleanUp, serve, socketPath } = require('../support');
const { commandLine } = require('../../cli/main');
const { command } = require('../cli/command');

const text = fs.readFileSync(path.join(ROOT, 'docs/cli.md'), 'utf8');
const lines = [...text.matchAll(/^```sh.*\n([^]*?)^```$/gm)].flatMap(([, block]) => block.trim().split('\n'));

/** Added to commands that measure: how long is not what is tested here. */
const BRIEFLY = { bench: ['--rounds', '1', '--duration', '0.05', '--connections', '2'] };

/** @returns {string[]} the words of a line as a shell has them; none has anything but single quotes */
const wordsOf = (line) => [...line.replace(/ +# .*/, '').matchAll(/'([^']*)'|[^\s']+/g)]
  .map(([word, quoted]) => quoted ?? word);

/** @returns {string} the folder of a program in which ferrequest is installed */
function programFolder() {
  const folder = path.dirname(socketPath());
  fs.mkdirSync(path.join(folder, 'node_modules'));
  fs.symlinkSync(ROOT, path.join(folder, 'node_modules/ferrequest'));
  fs.writeFileSync(path.join(folder, 'tracing.js'), '');
  cleanUp(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('docs/cli.md', () => {
  it('has commands of each kind', () => {
    expect(new Set(lines.map((line) => wordsOf(line)[2]))).toEqual(new Set(['doctor', 'bench', 'get']));
  });

  it.each(lines)('%s: runs, and says nothing of a failure', async (line) => {
    const { port } = await serve((request, response) => request.resume().on('end', () => response.end('body')));
    const words = wordsOf(line).map((word) => word.replace('http://localhost:3000/', `http://127.0.0.1:${port}/`));
    expect(words.slice(0, 2)).toEqual(['npx', 'ferrequest']);
    const cwd = programFolder();
    const args = [...words.slice(2), ...BRIEFLY[words[2]] ?? []];
    const { code, stderr } = await command(args, { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('ferrequest:') });
    for (const option of ['-o', '--html']) {
      const at = words.indexOf(option);
      if (at !== -1) expect(fs.readFileSync(path.join(cwd, words[at + 1]), 'utf8')).toContain('body');
    }
  });

  it.each(commandLine().commands.map((one) => [one.name(), one]))('has every option of %s', (name, { options }) => {
    const [, section] = new RegExp(`^## ${name}$([^]*?)(?:^## |(?![^]))`, 'm').exec(text);
    const listed = [...section.matchAll(/^\| `(-[^`]+)` \|/gm)].map(([, flags]) => flags);
    expect(listed).toEqual(options.map(({ flags }) => flags));
  });
});
