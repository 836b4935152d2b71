'use strict';

/** Every block of code in README.md and docs/ runs as it is. */

const fs = require('node:fs');
const path = require('node:path');

const { ROOT, describeOurs, itNative } = require('../support');
const { blocksOf, notPrinted, pages, runBlocks } = require('../support/doc-blocks');

const all = pages().map((page) => [page, blocksOf(page)]);

/** Without a language: what a program prints, and drawings. */
const LANGUAGES = ['js', 'sh', 'text', ''];

/** The most blocks that may say why they are not run. */
const MOST_NOT_RUN = 18;

describeOurs('a page', () => {
  const runnable = all.map(([page, blocks]) => {
    return [page, blocks.filter(({ language, notRun }) => ['js', 'sh'].includes(language) && notRun === null)];
  }).filter(([, blocks]) => blocks.length > 0);

  itNative.each(runnable)('%s has blocks of code that run, end, and print what they say', async (_page, blocks) => {
    const results = await runBlocks(blocks);
    const faults = blocks.flatMap((block) => {
      const { failure, stdout, asked } = results.get(block.name);
      if (failure !== null) return [`${block.name}: ${failure}`];
      if (/8080|8443/.test(block.source) && asked === 0) return [`${block.name}: asked no server`];
      return notPrinted(block, stdout).map((text) => `${block.name}: does not print ${text}, but ${stdout}`);
    });
    expect(faults).toEqual([]);
  });
});

/** Blocks that are not as they should be, with what the test says of each. */
const FAULTS = [
  ['throws', 'js', "throw new Error('broken')", /broken/],
  ['rejects', 'js', "Promise.reject(new Error('broken'))", /broken/],
  ['throws later, as a module', 'js', "import 'node:fs';\nsetTimeout(() => { throw new Error('broken'); }, 1)", /broken/],
  ['has a name that there is not', 'js', "import { none } from 'ferrequest';\nnone();", /none/],
  ['writes to stderr', 'js', "console.error('broken')", /broken/],
  ['leaves the process', 'js', 'process.exit(0)', /not reached/],
  ['is a command that fails', 'sh', 'node -e "console.error(1 + 1); process.exit(3)"\nnode -v', /^3: 2/],
  ['runs something else than node', 'sh', 'npm --version', /nothing but node is run: npm/],
];

describe('a block of code', () => {
  it.each(FAULTS)('that %s is told', async (name, language, source, expected) => {
    const results = await runBlocks([{ name, language, source, notRun: null }]);
    expect(results.get(name).failure).toMatch(expected);
  });

  it('that does not print what it says is told', () => {
    const source = 'console.log(1); //=> 1\nconsole.log(2); //=> 3\n//=> a…c';
    expect(notPrinted({ source }, '1\n2\nabc\n')).toEqual(['3']);
    expect(notPrinted({ source }, '1\n33\nbc\n')).toEqual(['3', 'a…c']);
  });
});

describe('the pages', () => {
  const blocks = all.flatMap(([, some]) => some);

  it('have code in languages that the test runs, or none', () => {
    expect(blocks.filter(({ language }) => !LANGUAGES.includes(language)).map(({ name }) => name)).toEqual([]);
    expect(blocks.filter(({ language }) => language === 'js').length).toBeGreaterThan(15);
  });

  it('say of few blocks why they are not run, and of none of JavaScript', () => {
    const notRun = blocks.filter((block) => block.notRun !== null);
    expect(notRun.length).toBeLessThanOrEqual(MOST_NOT_RUN);
    expect(notRun.filter(({ language }) => language !== 'sh').map(({ name }) => name)).toEqual([]);
  });

  it('link to files that are there, and to headings that they have', () => {
    const broken = pages().flatMap((page) => brokenLinks(page).map((link) => `${page}: ${link}`));
    expect(broken).toEqual([]);
  });

  it('are all linked from docs/index.md', () => {
    const index = fs.readFileSync(path.join(ROOT, 'docs/index.md'), 'utf8');
    const missing = pages().filter((page) => page.startsWith('docs/') && page !== 'docs/index.md')
      .filter((page) => !index.includes(`(${page.slice('docs/'.length)})`));
    expect(missing).toEqual([]);
  });
});

/** @returns {Set<string>} the anchors that a page's headings have on GitHub */
function anchorsOf(file) {
  const text = fs.readFileSync(file, 'utf8').replace(/^```[^]*?^```$/gm, '');
  return new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => {
    return heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/ /g, '-');
  }));
}

/** @returns {string[]} links of a page within the repository that lead nowhere */
function brokenLinks(page) {
  const text = fs.readFileSync(path.join(ROOT, page), 'utf8').replace(/^```[^]*?^```$/gm, '').replace(/`[^`\n]*`/g, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link).filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [target, anchor] = link.split('#');
      const file = target === '' ? path.join(ROOT, page) : path.join(ROOT, path.dirname(page), target);
      return !fs.existsSync(file) || anchor !== undefined && !anchorsOf(file).has(anchor);
    });
}
