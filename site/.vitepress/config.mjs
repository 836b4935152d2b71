/** Makes a site of the pages as they are in the repository. docs/index.md decides what the sidebar has. */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitepress';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGES = path.join(ROOT, 'site/pages');
const { repository, version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'));

/** Address of a file that is no page, such as a program; undefined as long as package.json names no repository. */
const SOURCE = (repository?.url ?? repository)?.replace(/^git\+/, '').replace(/\.git$/, '/blob/main/');

/** Files that the repository has besides pages. What is in neither is a broken link, which ends the build. */
const isOther = (file) => fs.existsSync(path.join(ROOT, file)) && !fs.existsSync(path.join(PAGES, file));

/** The anchors of headings are those that GitHub makes, which links in the pages use. */
const slugify = (heading) => heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/ /g, '-');

/** @returns {object[]} a group for each bold line of docs/index.md, with the pages of the table below it */
function sidebar() {
  const text = fs.readFileSync(path.join(ROOT, 'docs/index.md'), 'utf8');
  return text.split(/^\*\*/m).slice(1).map((part) => ({
    text: part.slice(0, part.indexOf('**')),
    items: [...part.matchAll(/^\| \[([^\]]+)\]\(([^)]+)\)/gm)].map(([, title, link]) => {
      return { text: title, link: `/${path.posix.join('docs', link)}`.replace(/\.md$/, '') };
    }),
  }));
}

/** Lets links to files of the repository that are no pages lead to their source, or nowhere. */
function linkToSource(md) {
  const inherited = md.renderer.rules.link_open;
  md.renderer.rules.link_open = (tokens, index, options, env, self) => {
    const token = tokens[index];
    const href = token.attrGet('href');
    const file = path.posix.join(path.posix.dirname(env.realRelativePath ?? env.relativePath), href.split('#')[0]);
    if (/^[a-z]+:|^#/.test(href) || !isOther(file)) return inherited(tokens, index, options, env, self);
    if (SOURCE) {
      token.attrSet('href', SOURCE + file);
    } else {
      token.tag = 'span';
      token.attrs = null;
      tokens.find((other, at) => at > index && other.type === 'link_close').tag = 'span';
    }
    return self.renderToken(tokens, index, options);
  };
}

export default defineConfig({
  srcDir: './pages',
  outDir: './dist',
  rewrites: { 'README.md': 'index.md' },
  title: 'ferrequest',
  description: "Node's HTTP client with its connections and its parser in Rust",
  lang: 'en',
  // None, but browsers would ask for one.
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  cleanUrls: true,
  // What looks like a tag in a page is text.
  markdown: { html: false, anchor: { slugify }, config: linkToSource },
  themeConfig: {
    nav: [
      { text: 'Getting started', link: '/docs/getting-started' },
      { text: 'Compatibility', link: '/docs/compat' },
      { text: 'Performance', link: '/docs/performance' },
      { text: version, link: '/CHANGELOG' },
    ],
    sidebar: sidebar(),
    outline: [2, 3],
    search: { provider: 'local' },
  },
});
