'use strict';

/** The command line: help, version, exit codes. */

const { version } = require('../../package.json');
const { command } = require('./command');

describe('ferrequest', () => {
  it('prints its version, and its help with the exit codes, and ends with 0', async () => {
    expect(await command(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
    const help = await command(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('Usage: ferrequest');
    expect(help.stdout).toContain('2 for a command line');
  });

  it.each([
    ['no command', [], 'Usage: ferrequest'],
    ['an option that there is not', ['doctor', '--bad'], "unknown option '--bad'"],
  ])('ends with 2 for %s, and says so on stderr', async (_what, args, text) => {
    const { code, stdout, stderr } = await command(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(text);
  });
});
