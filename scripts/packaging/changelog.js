'use strict';

/** Reads and dates the sections of CHANGELOG.md, which has the format of Keep a Changelog. */

const UNRELEASED = '## [Unreleased]';

/**
 * Finds the section of a version.
 * @param {string} text
 * @param {string} version
 * @returns {{ date: string, notes: string }|undefined}
 */
function find(text, version) {
  const sections = text.split(/^(?=## \[)/m);
  const heading = `## [${version}] - `;
  const section = sections.find((one) => one.startsWith(heading));
  if (section === undefined) return undefined;
  const [first, ...rest] = section.split('\n');
  return { date: first.slice(heading.length).trim(), notes: rest.join('\n').trim() };
}

/**
 * Gives what is unreleased a version and a date.
 * @param {string} text
 * @param {string} version
 * @param {string} date Such as `2026-11-29`.
 * @returns {string}
 * @throws {Error} If nothing is unreleased, or the version has a section.
 */
function release(text, version, date) {
  if (find(text, version) !== undefined) throw new Error(`CHANGELOG.md has a section of ${version} already`);
  const at = text.indexOf(`${UNRELEASED}\n`);
  if (at < 0) throw new Error(`CHANGELOG.md has no section ${UNRELEASED}`);
  const [, section] = text.slice(at).split(/^(?=## \[)/m);
  const body = text.slice(at + UNRELEASED.length, section === undefined ? undefined : text.indexOf(section, at));
  if (body.trim() === '') throw new Error('CHANGELOG.md lists nothing that is unreleased');
  return `${text.slice(0, at)}${UNRELEASED}\n\n## [${version}] - ${date}${text.slice(at + UNRELEASED.length)}`;
}

module.exports = { find, release };
