'use strict';

/** Reads the tables of docs/compat.md. */

const fs = require('node:fs');
const path = require('node:path');

const FILE = path.join(__dirname, '..', '..', '..', 'docs', 'compat.md');

/**
 * @typedef {object} Entry
 * @property {number} since the first major of Node that has it, of those supported
 * @property {string} here what the last column says
 */

/**
 * @returns {Map<string, Map<string, Entry>>} by heading, such as `http.Agent / Methods`, the entries by name; a row
 *   such as "those of `EventEmitter`" has the name `those of EventEmitter`
 */
function readTables() {
  const tables = new Map();
  let chapter = '';
  let section = '';
  for (const line of fs.readFileSync(FILE, 'utf8').split('\n')) {
    if (line.startsWith('## ')) chapter = line.slice(3);
    else if (line.startsWith('### ')) section = line.slice(4);
    else if (/^\| [`t]/.test(line)) addRow(tables, `${chapter} / ${section}`, line);
  }
  return tables;
}

function addRow(tables, heading, line) {
  const cells = line.split('|').slice(1, -1).map((cell) => cell.trim());
  const here = cells.at(-1);
  const since = cells.length === 3 && cells[1] !== '' ? Number(cells[1]) : 20;
  if (!tables.has(heading)) tables.set(heading, new Map());
  const table = tables.get(heading);
  for (const [, before, name] of cells[0].matchAll(/(those of )?`([^`]+)`/g)) {
    const key = before ? before + name : name;
    if (table.has(key)) throw new Error(`${key} is listed twice under ${heading}`);
    table.set(key, { since, here });
  }
}

/** @returns {Set<string>} all names in backquotes of a chapter */
function namesOfChapter(title) {
  const text = fs.readFileSync(FILE, 'utf8').split('\n## ').find((chapter) => chapter.startsWith(title));
  return new Set(Array.from(text.matchAll(/`([^`]+)`/g), ([, name]) => name));
}

module.exports = { namesOfChapter, readTables };
