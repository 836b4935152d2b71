'use strict';

const http = require('node:http');

function application(kit) {
  return http.createServer(async (req, res) => {
    kit.origin.asked.push(`${req.method} ${req.url}`);
    const body = Buffer.concat(await req.toArray()).toString();
    if (req.url === '/login') res.setHeader('Set-Cookie', 'session=1; Path=/');
    res.writeHead(req.url === '/none' ? 404 : 200, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ method: req.method, cookie: req.headers.cookie ?? null, body }));
  });
}

module.exports = {
  load: async () => require('supertest'),
  scenarios: {
    'asks an application that does not listen yet, and expects': {
      act: async (supertest, kit) => {
        const { body } = await supertest(application(kit)).post('/').send({ a: 1 })
          .expect(200).expect('Content-Type', /json/).expect((res) => { if (res.body.method !== 'POST') throw new Error('not POST'); });
        return body;
      },
      gives: { method: 'POST', cookie: null, body: '{"a":1}' },
    },
    'tells what was expected': {
      act: async (supertest, kit) => (await kit.errorOf(supertest(application(kit)).get('/none').expect(200))).message,
      gives: 'expected 200 "OK", got 404 "Not Found"',
    },
    'keeps cookies in its agent': {
      act: async (supertest, kit) => {
        const server = application(kit).listen(0, '127.0.0.1');
        kit.cleanUp(() => { server.close(); server.closeAllConnections(); });
        const agent = supertest.agent(server);
        await agent.get('/login').expect(200);
        return (await agent.get('/').expect(200)).body.cookie;
      },
      gives: 'session=1',
    },
  },
};
