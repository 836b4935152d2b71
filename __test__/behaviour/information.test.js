'use strict';

/** 'information': the 1xx responses before the final one (RFC 9110, 15.2), but 101. */

const {
  byteByByte, bytesOf, http, record, responseTo, until,
} = require('../support');
const { describeTransports } = require('../support/transports');

const FINAL = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal';

/** Asks a peer that answers with `answer`, and tells of each event that carries information. */
async function informedOver(transport, answer, options) {
  const peer = await transport.serveAnswer(answer);
  const agent = await transport.agentTo(peer);
  const req = http.get({ ...peer.address, agent, ...options });
  const { events } = record(req);
  const information = [];
  const continued = [];
  req.on('information', (info) => information.push(info));
  req.on('continue', (...args) => continued.push(args));
  const res = await responseTo(req);
  const body = (await bytesOf(res)).toString();
  await until(() => req.closed && res.closed);
  return { information, continued, body, events, res, peer, agent };
}

describeTransports("'information'", (transport) => {
  const informed = (answer, options) => informedOver(transport, answer, options);

  it.each([
    [100, 'Continue'], [102, 'Processing'], [103, 'Early Hints'], [104, 'Upload Resumption Supported'], [150, 'Odd'],
    [199, ''],
  ])('comes for %i %s, with what it says', async (statusCode, statusMessage) => {
    const { information, body, res } = await informed(
      `HTTP/1.1 ${statusCode} ${statusMessage}\r\nLink: </a>\r\nlink: </b>\r\nX-Odd-CASE: c\r\n\r\n${FINAL}`);
    expect(information).toHaveLength(1);
    expect({ ...information[0], headers: { ...information[0].headers } }).toEqual({
      statusCode,
      statusMessage,
      httpVersion: '1.1',
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      headers: { link: '</a>, </b>', 'x-odd-case': 'c' },
      rawHeaders: ['Link', '</a>', 'link', '</b>', 'X-Odd-CASE', 'c'],
    });
    expect(body).toBe('final');
    expect(res.statusCode).toBe(200);
    expect(res.headers.link).toBeUndefined();
  });

  const SEVERAL = [
    'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 102 Processing\r\n\r\n', 'HTTP/1.1 102 Processing\r\nX: again\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', FINAL,
  ];

  it.each([
    ['in one segment', [SEVERAL.join('')]], ['in a segment each', SEVERAL],
    ['byte by byte', byteByByte(SEVERAL.join(''))],
  ])('comes for each of several before the final response, %s', async (_, segments) => {
    const { information, continued, events, body } = await informed(segments);
    expect(information.map(({ statusCode }) => statusCode)).toEqual([100, 102, 102, 103]);
    expect(information[2].headers).toMatchObject({ x: 'again' });
    expect(continued).toEqual([[]]);
    expect(events).toEqual([
      'req socket', 'req finish', 'req continue', ...Array(4).fill('req information'), 'req response',
      'res data', 'res end', 'req close', 'res close',
    ]);
    expect(body).toBe('final');
  });

  it('comes for hundreds', async () => {
    const { information, body } = await informed('HTTP/1.1 102 Processing\r\n\r\n'.repeat(500) + FINAL);
    expect(information).toHaveLength(500);
    expect(body).toBe('final');
  });

  it('has no body, whatever its header says', async () => {
    const { body } = await informed(`HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n${FINAL}`);
    expect(body).toBe('final');
  });

  it('leaves the connection fit for the next request', async () => {
    const { peer, agent } = await informed(SEVERAL.join(''));
    const req = http.get({ ...peer.address, agent });
    await bytesOf(await responseTo(req));
    expect(req.reusedSocket).toBe(true);
  });

  it('needs no listener', async () => {
    const peer = await transport.serveAnswer(SEVERAL.join(''));
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    expect((await bytesOf(await responseTo(req))).toString()).toBe('final');
  });

  it('comes before a response to HEAD and one without a body', async () => {
    const head = await informed(`HTTP/1.1 102 Processing\r\n\r\n${FINAL.replace('final', '')}`, { method: 'HEAD' });
    expect([head.information.length, head.body]).toEqual([1, '']);
    const empty = await informed('HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n');
    expect([empty.information.length, empty.res.statusCode]).toEqual([1, 204]);
  });

  it("comes for what Node's own server writes, while the request is still open", async () => {
    const peer = await transport.serve((req, res) => {
      res.writeProcessing();
      res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      req.resume().on('end', () => res.end('final'));
    });
    const req = http.request({ ...peer.address, agent: await transport.agentTo(peer), method: 'POST' });
    const information = [];
    req.on('information', ({ statusCode, headers }) => information.push([statusCode, headers.link]));
    const response = responseTo(req);
    req.write('part');
    await until(() => information.length === 2);
    expect(information).toEqual([[102, undefined], [103, '</style.css>; rel=preload; as=style']]);
    req.end();
    expect((await bytesOf(await response)).toString()).toBe('final');
  });
});
