'use strict';

/**
 * An answer whose length can be read in two ways desynchronises a client from its proxy (RFC 9112 section 6.3, section
 * 11.2). What is ambiguous is an error; the connection is not used again.
 */

const { describeDeliveries } = require('../support/transports');

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKS = '5\r\nhello\r\n0\r\n\r\n';
const INVALID_LENGTH = 'HPE_INVALID_CONTENT_LENGTH';

/** Rows of fields that a peer sends, the code of the error, its reason, and the number of good bytes. */
const REFUSED = [
  ['two different Content-Lengths', 'Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
    'HPE_UNEXPECTED_CONTENT_LENGTH', 'Duplicate Content-Length', 52],
  ['the same Content-Length twice', 'Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc',
    'HPE_UNEXPECTED_CONTENT_LENGTH', 'Duplicate Content-Length', 52],
  ['a list of Content-Lengths', 'Content-Length: 3, 3\r\n\r\nabc', INVALID_LENGTH,
    'Invalid character in Content-Length', 34],
  ['a negative Content-Length', 'Content-Length: -1\r\n\r\n', INVALID_LENGTH, 'Invalid character in Content-Length',
    33],
  ['a signed Content-Length', 'Content-Length: +5\r\n\r\nhello', INVALID_LENGTH,
    'Invalid character in Content-Length', 33],
  ['a hexadecimal Content-Length', 'Content-Length: 0x5\r\n\r\nhello', INVALID_LENGTH,
    'Invalid character in Content-Length', 34],
  ['a Content-Length with a space in it', 'Content-Length: 1 0\r\n\r\nhello', INVALID_LENGTH,
    'Invalid character in Content-Length', 35],
  ['an empty Content-Length', 'Content-Length:\r\n\r\nhello', INVALID_LENGTH, 'Empty Content-Length', 34],
  ['a Content-Length of 2^64', 'Content-Length: 18446744073709551616\r\n\r\nhello', INVALID_LENGTH,
    'Content-Length overflow', 53],
  ['a Content-Length of 10^30', `Content-Length: 1${'0'.repeat(30)}\r\n\r\nhello`, INVALID_LENGTH,
    'Content-Length overflow', undefined],
  ['Content-Length before Transfer-Encoding', `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
    'HPE_INVALID_TRANSFER_ENCODING', "Transfer-Encoding can't be present with Content-Length", 54],
  ['Transfer-Encoding before Content-Length', `Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${CHUNKS}`,
    INVALID_LENGTH, "Content-Length can't be present with Transfer-Encoding", 60],
  ['a space before the colon of Transfer-Encoding', `Transfer-Encoding : chunked\r\n\r\n${CHUNKS}`,
    'HPE_INVALID_HEADER_TOKEN', 'Invalid header field char', 35],
  ['a space before the colon of Content-Length', 'Content-Length : 5\r\n\r\nhello',
    'HPE_INVALID_HEADER_TOKEN', 'Invalid header field char', undefined],
  ['a vertical tab before chunked', `Transfer-Encoding: \x0bchunked\r\n\r\n${CHUNKS}`,
    'HPE_INVALID_HEADER_TOKEN', 'Invalid header value char', 36],
  ['a folded Transfer-Encoding', `Transfer-Encoding:\r\n chunked\r\n\r\n${CHUNKS}`,
    'HPE_INVALID_HEADER_TOKEN', 'Invalid header value char', 38],
  ['a line ended by LF before Transfer-Encoding', `X: y\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
    'HPE_CR_EXPECTED', 'Missing expected CR after header value', undefined],
  ['a CR inside a line', 'X: y\rContent-Length: 5\r\n\r\nhello',
    'HPE_LF_EXPECTED', 'Missing expected LF after header value', undefined],
];

/** Rows of fields that a peer sends, and the body that the client reads. */
const TAKEN = [
  ['chunked in any case', `Transfer-Encoding: ChUnKeD\r\n\r\n${CHUNKS}`, 'hello'],
  ['a tab before chunked', `Transfer-Encoding:\tchunked\r\n\r\n${CHUNKS}`, 'hello'],
  ['chunked as the last of several codings', `Transfer-Encoding: gzip, chunked\r\n\r\n${CHUNKS}`, 'hello'],
  ['space after a Content-Length', 'Content-Length: 5 \r\n\r\nhello', 'hello'],
  ['zeros before a Content-Length', 'Content-Length: 0005\r\n\r\nhello', 'hello'],
  // RFC 9112 section 6.3: if chunked is not the final coding, the body lasts until the connection closes.
  ['chunked before another coding', `Transfer-Encoding: chunked, gzip\r\n\r\n${CHUNKS}`, CHUNKS],
  ['chunked and then identity in a field of its own',
    `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n${CHUNKS}`, CHUNKS],
  ['a coding that only ends in chunked', `Transfer-Encoding: xchunked\r\n\r\n${CHUNKS}`, CHUNKS],
  ['chunked in quotes', `Transfer-Encoding: "chunked"\r\n\r\n${CHUNKS}`, CHUNKS],
  ['identity', 'Transfer-Encoding: identity\r\n\r\nhello', 'hello'],
];

describeDeliveries('an ambiguous length', (receive, isWhole) => {
  it.each(REFUSED)('%s is an error', async (_what, fields, code, reason, bytesParsed) => {
    const { error, res } = await receive(OK + fields);
    expect(res).toBeUndefined();
    expect(error).toMatchObject({ code, reason, message: `Parse Error: ${reason}` });
    expect(Buffer.isBuffer(error.rawPacket)).toBe(true);
    if (!isWhole) return;
    expect(error.rawPacket.toString('latin1')).toBe(OK + fields);
    if (bytesParsed !== undefined) expect(error.bytesParsed).toBe(bytesParsed);
  });
});

describeDeliveries('a length that is not ambiguous', (receive) => {
  it.each(TAKEN)('%s is taken', async (_what, fields, expected) => {
    const { error, res, body } = await receive(OK + fields);
    expect(error).toBeUndefined();
    expect(body).toBe(expected);
    expect(res.complete).toBe(true);
  });
});

describeDeliveries('a body where none can be', (receive) => {
  const POISON = `${OK}Content-Length: 6\r\n\r\npoison`;

  it.each([
    ['HEAD with Content-Length', 'HEAD', `${OK}Content-Length: ${POISON.length}\r\n\r\n`],
    ['HEAD with chunks', 'HEAD', `${OK}Transfer-Encoding: chunked\r\n\r\n`],
    ['status 204 with Content-Length', 'GET', `HTTP/1.1 204 No Content\r\nContent-Length: ${POISON.length}\r\n\r\n`],
    ['status 204 with chunks', 'GET', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['status 304 with Content-Length', 'GET', `HTTP/1.1 304 Not Modified\r\nContent-Length: ${POISON.length}\r\n\r\n`],
  ])('%s has none, and what follows is nobody\'s response', async (_what, method, head) => {
    const { res, body } = await receive(head + POISON, { method });
    expect(body).toBe('');
    expect(res.headers['content-length']).not.toBe('6');
  });
});
