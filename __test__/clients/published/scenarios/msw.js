'use strict';

/** msw answers requests in the place of a peer, and lets others through. */

const { once } = require('node:events');

async function ask(kit, url, { body, ...options } = {}) {
  const req = kit.http.request(url, { agent: kit.agent(), ...options });
  req.end(body);
  const [res] = await once(req, 'response');
  return {
    status: res.statusCode,
    by: res.headers['x-by'] ?? null,
    body: Buffer.concat(await res.toArray()).toString(),
  };
}

/** Has msw in place for one scenario. */
const withServer = (act) => async (msw, kit) => {
  const server = msw.setupServer();
  server.listen({ onUnhandledRequest: 'bypass' });
  kit.cleanUp(() => server.close());
  return act(msw, kit, server);
};

module.exports = {
  load: async () => ({ ...require('msw'), ...require('msw/node') }),
  node: [22, 12],
  scenarios: {
    'answers by a handler that reads the request': {
      act: withServer(async ({ http, HttpResponse }, kit, server) => {
        server.use(
          http.post('http://mocked.test/user/:id', async ({ request, params }) =>
            HttpResponse.json(
              { id: params.id, sent: await request.json() },
              { status: 201, headers: { 'X-By': 'msw' } },
            ),
          ),
        );
        return ask(kit, 'http://mocked.test/user/7', {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: '{"a":1}',
        });
      }),
      gives: { status: 201, by: 'msw', body: '{"id":"7","sent":{"a":1}}' },
    },
    'fails a request': {
      act: withServer(async ({ http, HttpResponse }, kit, server) => {
        server.use(http.get('http://mocked.test/', () => HttpResponse.error()));
        const { name } = await kit.errorOf(ask(kit, 'http://mocked.test/'));
        return name;
      }),
      gives: 'TypeError',
    },
    'lets others through, and changes their answers': {
      act: withServer(async ({ http, HttpResponse, bypass }, kit, server) => {
        server.use(
          http.get(`${kit.url}/status/404`, async ({ request }) => {
            const response = await fetch(bypass(request));
            return new HttpResponse(`${await response.text()}, changed`, { status: 200 });
          }),
        );
        const changed = await ask(kit, `${kit.url}/status/404`);
        const { body } = await ask(kit, `${kit.url}/mirror`, { method: 'POST', body: 'real' });
        return [changed.status, changed.body, JSON.parse(body).body];
      }),
      gives: [200, 'status 404, changed', 'real'],
    },
    'leaves requests alone when it is closed': {
      act: async (msw, kit) =>
        JSON.parse((await ask(kit, `${kit.url}/mirror`, { method: 'POST', body: 'real' })).body).body,
      gives: 'real',
    },
  },
};
