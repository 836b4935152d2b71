'use strict';

/** docs/troubleshooting.md has a heading for each code of an error or warning that is ours alone. */

const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '../..');
const text = fs.readFileSync(path.join(ROOT, 'docs/troubleshooting.md'), 'utf8');
const headings = [...text.matchAll(/^## ((?:ERR_)?FERREQUEST_\w+)$/gm)].map(([, code]) => code);

/** The codes that the sources have. */
function codesInSources() {
  const files = fs.readdirSync(path.join(ROOT, 'lib'), { recursive: true }).filter((file) => file.endsWith('.js'))
    .map((file) => path.join(ROOT, 'lib', file))
    .concat(['binding.js', 'register.js', 'scripts/bundle.mjs'].map((file) => path.join(ROOT, file)));
  const found = files.flatMap((file) => fs.readFileSync(file, 'utf8').match(/'(?:ERR_)?FERREQUEST_\w+'/g) ?? []);
  return [...new Set(found.map((quoted) => quoted.slice(1, -1)))];
}

describe('docs/troubleshooting.md', () => {
  it('has a heading for each code, and for nothing else', () => {
    const codes = codesInSources();
    expect(codes.length).toBeGreaterThan(10);
    expect(headings.slice().sort()).toEqual(codes.sort());
  });

  it('says cause and remedy of each error', () => {
    for (const section of text.split(/^## /m).filter((part) => part.startsWith('ERR_'))) {
      expect(section).toMatch(/\*\*Cause:\*\* /);
      expect(section).toMatch(/\*\*Remedy:\*\* /);
    }
  });

  it('is in the package, because messages name it', () => {
    expect(require('../../package.json').files).toContain('docs/troubleshooting.md');
  });
});
