'use strict';

/** nock answers requests in the place of a peer, and lets others through. */

const { once } = require('node:events');

async function ask(kit, url, { body, ...options } = {}) {
  const req = kit.http.request(url, { agent: kit.agent(), ...options });
  req.end(body);
  const [res] = await once(req, 'response');
  return {
    status: res.statusCode,
    headers: res.headers['x-by'],
    body: Buffer.concat(await res.toArray()).toString(),
  };
}

/** Has nock in place for one scenario. */
const withNock = (act) => async (nock, kit) => {
  if (!nock.isActive()) nock.activate();
  kit.cleanUp(() => {
    nock.cleanAll();
    nock.enableNetConnect();
    nock.restore();
  });
  return act(nock, kit);
};

module.exports = {
  load: async () => require('nock').default,
  node: [22, 20],
  scenarios: {
    'answers, once or for ever, by method, query, header and body': {
      act: withNock(async (nock, kit) => {
        nock('http://mocked.test').get('/a').query({ b: 'c' }).reply(201, { mocked: true }, { 'X-By': 'nock' });
        nock('http://mocked.test', { reqheaders: { 'x-key': 'k' } })
          .persist()
          .post('/p', { sent: 1 })
          .reply(200, 'taken');
        const options = {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'X-Key': 'k' },
          body: '{"sent":1}',
        };
        return [
          await ask(kit, 'http://mocked.test/a?b=c'),
          await ask(kit, 'http://mocked.test/p', options),
          await ask(kit, 'http://mocked.test/p', options),
          nock.pendingMocks().length,
        ];
      }),
      gives: [
        { status: 201, headers: 'nock', body: '{"mocked":true}' },
        { status: 200, body: 'taken' },
        { status: 200, body: 'taken' },
        0,
      ],
    },
    'fails requests as it is told': {
      act: withNock(async (nock, kit) => {
        nock('http://mocked.test')
          .get('/error')
          .replyWithError(Object.assign(new Error('mocked'), { code: 'EMOCKED' }));
        nock('http://mocked.test').get('/late').delay(50).reply(200, 'late');
        const { code } = await kit.errorOf(ask(kit, 'http://mocked.test/error'));
        return [code, (await ask(kit, 'http://mocked.test/late')).body];
      }),
      gives: ['EMOCKED', 'late'],
    },
    'refuses what is not mocked, and lets through what it is told': {
      act: withNock(async (nock, kit) => {
        nock.disableNetConnect();
        const { code } = await kit.errorOf(ask(kit, `${kit.url}/mirror`));
        nock.enableNetConnect('127.0.0.1');
        const { body } = await ask(kit, `${kit.url}/mirror`, { method: 'POST', body: 'real' });
        return [code, JSON.parse(body).body, kit.origin.asked.length];
      }),
      gives: ['ENETUNREACH', 'real', 1],
    },
    'leaves requests alone when it is restored': {
      act: async (nock, kit) =>
        JSON.parse((await ask(kit, `${kit.url}/mirror`, { method: 'POST', body: 'real' })).body).body,
      gives: 'real',
    },
  },
};
