'use strict';

const { usage } = require('./failure');

/**
 * Reads a URL as users type it.
 * @param {string} text Without a scheme it is http.
 * @returns {URL}
 */
function parseUrl(text) {
  const whole = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.parse ? URL.parse(whole) : URL.canParse(whole) && new URL(whole);
  if (!url) throw usage(`this is no URL: ${text}`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw usage(`only http and https are spoken, not ${url.protocol.slice(0, -1)}`);
  }
  return url;
}

/**
 * Reads header fields as curl has them.
 * @param {string[]} lines Such as `Accept: text/html`.
 * @returns {Record<string, string|string[]>} A field that is given twice has both values.
 */
function parseHeaders(lines) {
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) throw usage(`a header field is "name: value", not ${JSON.stringify(line)}`);
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = name in headers ? [headers[name], value].flat() : value;
  }
  return headers;
}

module.exports = { parseHeaders, parseUrl };
