'use strict';

/** A chunk size is never trusted: not its length, not its digits, not what surrounds it (RFC 9112 section 7.1). */

const { describeDeliveries } = require('../support/transports');

const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const SIZE = 'HPE_INVALID_CHUNK_SIZE';
const REST = '\r\nhello\r\n0\r\n\r\n';

/** Rows of what a peer sends behind the header, the code of the error, its reason, and the number of good bytes. */
const REFUSED = [
  ['a chunk size of 2^64', '10000000000000000\r\n', SIZE, 'Chunk size overflow', 64],
  ['a chunk size of 2^64 + 5', `10000000000000005${REST}`, SIZE, 'Chunk size overflow', 64],
  ['a chunk size of 2^68 - 1', `FFFFFFFFFFFFFFFFF${REST}`, SIZE, 'Chunk size overflow', undefined],
  ['a chunk size of a thousand digits', `${'9'.repeat(1000)}${REST}`, SIZE, 'Chunk size overflow', undefined],
  ['a negative chunk size', `-5${REST}`, SIZE, 'Invalid character in chunk size', 47],
  ['a signed chunk size', `+5${REST}`, SIZE, 'Invalid character in chunk size', 47],
  ['a chunk size with 0x', `0x5${REST}`, SIZE, 'Invalid character in chunk size', 48],
  ['a chunk size with an underscore', `5_0${REST}`, SIZE, 'Invalid character in chunk size', 48],
  ['a chunk size in quotes', `"5"${REST}`, SIZE, 'Invalid character in chunk size', 47],
  ['an empty chunk size', REST, SIZE, 'Invalid character in chunk size', 47],
  ['a chunk size behind a space', ` 5${REST}`, SIZE, 'Invalid character in chunk size', 47],
  ['a chunk size before a space', `5 ${REST}`, SIZE, 'Invalid character in chunk size', 49],
  ['a chunk size before a tab', `5\t${REST}`, SIZE, 'Invalid character in chunk size', undefined],
  ['LF alone after a chunk size', '5\nhello\n0\n\n', 'HPE_CR_EXPECTED', 'Missing expected CR after chunk size', 49],
  ['CR alone after a chunk size', '5\rhello\r0\r\r', 'HPE_STRICT', 'Expected LF after chunk size', 49],
  ['a chunk longer than its size', '5\r\nhelloX\r\n0\r\n\r\n', 'HPE_STRICT', 'Expected LF after chunk data', 55],
  ['no CR LF after a chunk', '5\r\nhello0\r\n\r\n', 'HPE_STRICT', 'Expected LF after chunk data', 55],
  ['LF alone in an extension', '5;a\nhello\r\n0\r\n\r\n', 'HPE_CR_EXPECTED',
    'Missing expected CR after chunk extension name', 50],
  ['CR alone in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n', 'HPE_STRICT', 'Expected LF after chunk size', 51],
  ['a control character in an extension', '5;a\x01\r\nhello\r\n0\r\n\r\n', 'HPE_STRICT',
    'Invalid character in chunk extensions name', 51],
  ['a Content-Length in the trailers', '0\r\nContent-Length: 5\r\n\r\n', 'HPE_INVALID_CONTENT_LENGTH',
    "Content-Length can't be present with Transfer-Encoding", 65],
];

describeDeliveries('chunks', (receive, isWhole) => {
  it.each(REFUSED)('with %s are an error', async (_what, chunks, code, reason, bytesParsed) => {
    const { error, res, body } = await receive(HEAD + chunks);
    expect(error).toMatchObject({ code, reason, message: `Parse Error: ${reason}` });
    expect('hello'.startsWith(body)).toBe(true);
    expect(res.complete).toBe(false);
    expect(res.aborted).toBe(true);
    expect(res.errored).toMatchObject({ code: 'ECONNRESET', message: 'aborted' });
    if (isWhole && bytesParsed !== undefined) expect(error.bytesParsed).toBe(bytesParsed);
  });

  it.each([
    ['a size of 2^64 - 1, which is never reached', 'FFFFFFFFFFFFFFFF\r\nhello'],
    ['a size of 2^53, which a JavaScript number cannot count', '20000000000001\r\nhello'],
  ])('with %s stay incomplete', async (_what, chunks) => {
    const { error, res, body } = await receive(HEAD + chunks);
    expect(error).toBeUndefined();
    expect(body).toBe('hello');
    expect(res.complete).toBe(false);
    expect(res.errored).toMatchObject({ code: 'ECONNRESET' });
  });

  it.each([
    ['zeros before a size', '00000000000000005\r\nhello\r\n000\r\n\r\n'],
    ['sizes in either case', 'a\r\nhellohello\r\nA\r\nhellohello\r\n0\r\n\r\n'],
    ['extensions with and without values', '5;a;b=c;d="e;f\\"g"\r\nhello\r\n0;last\r\n\r\n'],
    ['a Transfer-Encoding in the trailers', '5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('with %s are read', async (_what, chunks) => {
    const { error, res, body } = await receive(HEAD + chunks);
    expect(error).toBeUndefined();
    expect(body).toMatch(/^(hello)+$/);
    expect(res.complete).toBe(true);
  });
});

describeDeliveries('chunk extensions', (receive) => {
  // CVE-2024-22019: without a limit a chunk of one byte could cost its reader any number of them.
  it.each([
    ['a name', (length) => `;${'a'.repeat(length)}`, 16384],
    ['a value', (length) => `;a=${'b'.repeat(length)}`, 16383],
    ['many names and values', (count) => ';a=b'.repeat(count), 8192],
  ])('may have 16 KiB in a chunk and no more, as %s', async (_what, extension, most) => {
    const chunk = (size) => `5${extension(size)}\r\nhello\r\n`;
    const { error, body } = await receive(`${HEAD}${chunk(most)}${chunk(most)}0\r\n\r\n`);
    expect(error).toBeUndefined();
    expect(body).toBe('hellohello');
    expect((await receive(`${HEAD}${chunk(most + 1)}0\r\n\r\n`)).error).toMatchObject({
      code: 'HPE_CHUNK_EXTENSIONS_OVERFLOW', reason: 'Chunk extensions overflow',
    });
  });
});
