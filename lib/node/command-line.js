'use strict';

/** Reads the options that Node was started with. A program may change them later, for the processes that it starts. */

const { readFileSync } = require('node:fs');

const { NODE_OPTIONS } = process.env;
const execArgv = [...process.execArgv];

/** Option that names the configuration file, with the name behind it or as the next argument. */
const CONFIG_FILE = /^--(?:experimental-)?config-file(?:=(.*))?$/s;
/** Option that asks for the configuration file of this name. Newer releases of Node put CONFIG_FILE in its place. */
const DEFAULT_CONFIG_FILE = '--experimental-default-config-file';
const DEFAULT_NAME = 'node.config.json';

/** @returns {string|undefined} The name of the configuration file that the process was started with. */
function nameOfFile() {
  const index = execArgv.findIndex((option) => CONFIG_FILE.test(option));
  if (index === -1) return execArgv.includes(DEFAULT_CONFIG_FILE) ? DEFAULT_NAME : undefined;
  return CONFIG_FILE.exec(execArgv[index])[1] ?? execArgv[index + 1];
}

/**
 * Reads the options of the configuration file, which Node 24 and newer know.
 * @returns {string[]} As they would be on the command line, without values.
 */
function optionsOfFile() {
  const name = nameOfFile();
  if (name === undefined) return [];
  try {
    // Options are in groups, whose names differ by version. NODE_OPTIONS, also an empty one, replaces this one.
    const { nodeOptions, ...others } = JSON.parse(readFileSync(name, 'utf8'));
    const groups = [NODE_OPTIONS === undefined ? nodeOptions : {}, ...Object.values(others)];
    return groups.flatMap((group) => Object.entries(Object(group)))
      .map(([option, value]) => (value === false ? `--no-${option}` : `--${option}`));
  } catch {
    // The process may not read it.
    return [];
  }
}

/**
 * Lists the options that Node was started with, with dashes for underscores. Those on the command line come last: the
 * last one counts.
 * @returns {string[]}
 */
function listOptions() {
  const ofEnvironment = (NODE_OPTIONS ?? '').replaceAll('"', '').split(/\s+/);
  return [...optionsOfFile(), ...ofEnvironment, ...execArgv].map((option) => option.replaceAll('_', '-'));
}

/**
 * Tells whether Node was started with an option that is on or off.
 * @param {string} name
 * @returns {boolean}
 */
function isOptionSet(name) {
  const options = listOptions();
  return options.lastIndexOf(`--${name}`) > options.lastIndexOf(`--no-${name}`);
}

/**
 * Tells whether Node was started with an option that has a value.
 * @param {string} name
 * @returns {boolean}
 */
function isOptionGiven(name) {
  return listOptions().some((option) => option === `--${name}` || option.startsWith(`--${name}=`));
}

module.exports = { isOptionGiven, isOptionSet };
