'use strict';

const { createHash } = require('node:crypto');
const path = require('node:path');

const root = path.dirname(__dirname);

/** Gives a module of the bundle in place of the file that it is made of: a transform of Jest's. */
module.exports = {
  process(source, file) {
    const name = path.relative(root, file).replaceAll(path.sep, '/');
    if (!/^(?:lib\/.+|index|https|register|binding)\.js$/.test(name)) return { code: source };
    const bundle = JSON.stringify(path.join(root, 'dist', 'ferrequest.js'));
    return { code: `'use strict';\nmodule.exports = require(${bundle})('${name}');\n` };
  },
  getCacheKey: (source, file) => createHash('sha256').update(`1${file}\0${source}`).digest('hex'),
};
