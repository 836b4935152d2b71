'use strict';

/** The folders of tests mirror the folders of lib/, so that the tests of a file are found without a search. */

const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '..');
const rooms = fs.readdirSync(path.join(ROOT, 'lib'));

/** Folders of tests, and the folders that they mirror. */
const MIRRORS = [...rooms.map((room) => [room, `lib/${room}`]), ['module', '.'], ['docs', 'docs'], ['cli', 'cli'],
  ['packaging', 'scripts/packaging']];

const testsIn = (folder) => fs.readdirSync(path.join(__dirname, folder), { recursive: true })
  .filter((name) => name.endsWith('.test.js'));

const firstPart = (name) => name.slice(0, name.indexOf('.'));

describe('__test__/', () => {
  it('has a folder for every room of lib/', () => {
    expect(rooms.length).toBeGreaterThan(5);
    const names = fs.readdirSync(__dirname);
    expect(rooms.filter((room) => !names.includes(room))).toEqual([]);
  });

  it.each(MIRRORS)('%s/ has only tests that are named after a file of %s/', (folder, mirrored) => {
    const files = new Set(fs.readdirSync(path.join(ROOT, mirrored)).map(firstPart));
    expect(testsIn(folder).filter((name) => !files.has(firstPart(name)))).toEqual([]);
  });

  it('has no other test outside a folder', () => {
    const names = fs.readdirSync(__dirname).filter((name) => name.endsWith('.test.js'));
    expect(names).toEqual([path.basename(__filename)]);
  });
});
