'use strict';

/**
 * RESULTS.md has a section for each machine. A run replaces the section of its own title, and leaves the others.
 */

const INTRODUCTION = `# Results

Written by \`bench/run.js\`; [README.md](README.md) says how to read it. Each section is one run with \`--write\`. It
replaces the section of the same processor, release line of Node, and choice of workloads and clients, and leaves the
others as they are: a ratio is worth something within one section only.`;

/** Beginning of a section: a heading of the second level. */
const HEADING = /^## /m;

/**
 * Gives the title of the section that a run writes.
 *
 * @param {Pick<import('./markdown').Run, 'machine' | 'scope'>} run
 * @returns {string}
 */
function titleOf({ machine, scope }) {
  const line = machine.node.replace(/^v/, '').split('.', 1)[0];
  return [machine.cpu, `${machine.cores} processors`, `Node ${line}`, ...scope].join(', ');
}

/**
 * Gives the name of the file that a section's chart is in.
 *
 * @param {string} title
 * @returns {string}
 */
function chartFileOf(title) {
  const words = title.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return `chart-${words.join('-')}.svg`;
}

/**
 * Puts a section into the document, in the place of the one of that title, or behind all others.
 *
 * @param {string} document what RESULTS.md has; empty for none
 * @param {string} title
 * @param {string} body the section without its heading
 * @returns {string} the document
 */
function putSection(document, title, body) {
  const section = `${title}\n\n${body.trim()}`;
  const sections = document.split(HEADING).slice(1).map((text) => text.trim());
  const place = sections.findIndex((text) => text.split('\n', 1)[0] === title);
  if (place === -1) {
    sections.push(section);
  } else {
    sections[place] = section;
  }
  return `${[INTRODUCTION, ...sections.map((text) => `## ${text}`)].join('\n\n')}\n`;
}

module.exports = { chartFileOf, putSection, titleOf };
