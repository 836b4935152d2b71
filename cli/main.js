#!/usr/bin/env node
'use strict';

/** The command `ferrequest`. Each of its commands is loaded when it is run. */

const { Command, CommanderError, InvalidArgumentError } = require('commander');

const { version } = require('../package.json');
const { painter } = require('./terminal');

/** Exit code of a command line that cannot be meant. */
const USAGE = 2;

/**
 * Collects the values of an option that may be given several times.
 * @param {string} value
 * @param {string[]} [before]
 * @returns {string[]}
 */
const collect = (value, before = []) => [...before, value];

/**
 * Makes the parser of a number.
 * @param {number} least
 * @param {number} most
 * @param {{ whole?: boolean }} [kind]
 * @returns {(text: string) => number}
 */
function between(least, most, { whole = true } = {}) {
  return (text) => {
    const value = text.trim() === '' ? NaN : Number(text);
    if (!(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      throw new InvalidArgumentError(`It is a ${whole ? 'whole ' : ''}number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** @returns {Command} */
function commandLine() {
  const program = new Command('ferrequest')
    .description("Node's http.request, forged in Rust: look at it before you use it")
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .showHelpAfterError('(ferrequest --help says more)')
    .exitOverride();
  program.addHelpText('after', `
Exit codes: 0 for success, 1 for what has failed, ${USAGE} for a command line that cannot be meant.`);

  program.command('bench')
    .description("compare Node's client, undici if your project has it, and ferrequest")
    .argument('[url]', 'of http or https; none for a server of its own on this machine')
    .option('-c, --connections <n>', 'requests at a time, each on a connection', between(1, 1000), 10)
    .option('-t, --duration <seconds>', 'of each measurement', between(0.05, 60, { whole: false }), 0.5)
    .option('-n, --rounds <n>', 'measurements of each client', between(1, 50), 3)
    .option('-H, --header <field>', 'send a header field, "name: value" (repeatable)', collect)
    .option('-k, --insecure', 'accept any certificate')
    .option('--json', 'print JSON')
    .option('--html <file>', 'write a report with charts, too')
    .action((url, options) => run(() => require('./bench').bench(url, options)));

  program.command('get')
    .description('make a request, stream the response, and print how long each phase took')
    .argument('<url>', 'of http or https')
    .option('-o, --output <file>', 'write the body to a file, with a bar')
    .option('-X, --request <method>', 'method; POST with data, else GET')
    .option('-H, --header <field>', 'send a header field, "name: value" (repeatable)', collect)
    .option('-d, --data <data>', 'send a body: a text, @FILE, or @- for stdin (texts are repeatable)', collect)
    .option('-v, --verbose', 'print what is sent and what comes, but for the bodies')
    .option('-L, --location', 'follow redirects, ten at most')
    .option('-k, --insecure', 'accept any certificate')
    .option('-f, --fail', 'end with 1 for a status from 400 on')
    .option('-m, --max-time <seconds>', 'call it off after that time', between(0.001, 86_400, { whole: false }))
    .option('-s, --silent', 'no bar, and no phases')
    .action((url, options) => run(() => require('./get').get(url, options)));

  program.command('doctor')
    .description('tell which client serves requests here, who has wrapped it, and what to do')
    .option('-r, --require <module>', 'load a module of your program first, such as its tracing (repeatable)', collect)
    .option('--json', 'print JSON')
    .action((options) => run(() => require('./doctor').doctor(options)));
  return program;
}

/**
 * Runs a command, and makes its outcome that of the process.
 * @param {() => Promise<number>} command
 */
async function run(command) {
  try {
    process.exitCode = await command();
  } catch (error) {
    const { Failure } = require('./failure');
    const text = error instanceof Failure ? error.message : error.stack;
    process.stderr.write(`${painter(process.stderr)('red', 'ferrequest:')} ${text}\n`);
    process.exitCode = error.exitCode ?? 1;
  }
}

/** @param {string[]} argv */
async function main(argv) {
  try {
    await commandLine().parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // It has said what is wrong, or printed the help that was asked for.
    process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  }
}

if (require.main === module) main(process.argv);

module.exports = { commandLine };
