'use strict';

/** A release gives what is unreleased its version and date, and takes its notes from there. */

const fs = require('node:fs');
const path = require('node:path');

const { find, release } = require('../../scripts/packaging/changelog');

const TEXT = '# Changelog\n\nWords.\n\n## [Unreleased]\n\n### Fixed\n\n- One.\n\n## [0.1.0] - 2026-01-02\n\n- First.\n';

describe('a release', () => {
  it('moves what is unreleased under its version and date', () => {
    const text = release(TEXT, '0.2.0', '2026-11-29');
    expect(text).toContain('## [Unreleased]\n\n## [0.2.0] - 2026-11-29\n\n### Fixed\n\n- One.\n\n## [0.1.0]');
    expect(find(text, '0.2.0')).toEqual({ date: '2026-11-29', notes: '### Fixed\n\n- One.' });
    expect(find(text, '0.1.0')).toEqual({ date: '2026-01-02', notes: '- First.' });
  });

  it('is refused when there is nothing in it, or when it is there', () => {
    expect(() => release(release(TEXT, '0.2.0', '2026-11-29'), '0.3.0', '2026-11-30')).toThrow(/nothing/);
    expect(() => release(TEXT, '0.1.0', '2026-11-29')).toThrow(/already/);
    expect(() => release('# Changelog\n', '0.1.0', '2026-11-29')).toThrow(/no section/);
  });

  it('can be made of the changelog as it is, or has been', () => {
    const text = fs.readFileSync(path.join(__dirname, '../../CHANGELOG.md'), 'utf8');
    expect(text).toContain('\n## [Unreleased]\n');
    const { version } = require('../../package.json');
    expect((find(text, version) ?? find(release(text, version, '2026-11-29'), version)).notes).toMatch(/^### /m);
  });
});
