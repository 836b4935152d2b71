'use strict';

/** The file of an addon of napi-rs that is not ours: the resolver's that Jest uses. */

const fs = require('node:fs');
const path = require('node:path');

const modules = path.join(__dirname, '../../node_modules/@unrs');
const [file] = fs.readdirSync(modules, { recursive: true }).filter((name) => name.endsWith('.node'));

module.exports = path.join(modules, file);
