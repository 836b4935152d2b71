'use strict';

/** llhttp before 9.3, which the first releases of Node 20, 22 and 24 have. Needs nothing of Jest. */

const { LLHTTP } = require('../../lib/response/decoder-settings');

/** True where Node's parser is older than every release that the decoder knows, and decides and words otherwise. */
const isParserEarly = LLHTTP < (9 << 16 | 3 << 8);

/**
 * Takes out of a text the protocols that an early parser does not name (docs/compat.md), if the running one is early.
 * @param {string} text
 * @returns {string}
 */
const asEarlyParserSays = (text) => (isParserEarly ? text.replace(', RTSP/ or ICE/', '') : text);

module.exports = { asEarlyParserSays, isParserEarly };
