'use strict';

/** As much of Stripe as the scenarios ask of it. */
async function serveStripe(kit) {
  let failures = 0;
  const peer = await kit.serve('stripe', async (req, res) => {
    const body = Buffer.concat(await req.toArray()).toString('latin1');
    peer.asked.push(`${req.method} ${req.url.split('?')[0]}`);
    peer.bodies.push(body);
    res.setHeader('Content-Type', 'application/json');
    res.setHeader('Request-Id', 'req_1');
    if (req.url === '/v1/customers/none') {
      res.writeHead(404).end('{"error":{"type":"invalid_request_error","code":"resource_missing","message":"no"}}');
    } else if (req.url === '/v1/customers/reset' && failures++ === 0) {
      req.socket.resetAndDestroy();
    } else if (req.url === '/v1/customers/silent') {
      // No answer.
    } else if (req.url.startsWith('/v1/customers?')) {
      const isSecond = req.url.includes('starting_after=cus_2');
      const data = (isSecond ? ['cus_3'] : ['cus_1', 'cus_2']).map((id) => ({ id, object: 'customer' }));
      res.end(JSON.stringify({ object: 'list', url: '/v1/customers', has_more: !isSecond, data }));
    } else {
      res.end(JSON.stringify({ id: 'cus_1', object: 'customer', email: new URLSearchParams(body).get('email') }));
    }
  });
  peer.bodies = [];
  return peer;
}

async function clientOf(Stripe, kit, options) {
  const peer = await serveStripe(kit);
  const httpAgent = kit.agent({ keepAlive: true });
  const stripe = new Stripe('sk_test_x', {
    host: '127.0.0.1', port: peer.port, protocol: 'http', httpAgent, telemetry: false, maxNetworkRetries: 0, ...options,
  });
  return { peer, stripe };
}

module.exports = {
  load: async () => {
    const Stripe = require('stripe');
    return Stripe.default ?? Stripe;
  },
  given: 'agent',
  scenarios: {
    'creates and lists, page by page, over one connection': {
      act: async (Stripe, kit) => {
        const { peer, stripe } = await clientOf(Stripe, kit);
        const { email } = await stripe.customers.create({ email: 'a@b.test', metadata: { key: 'ü' } });
        const ids = [];
        for await (const { id } of stripe.customers.list({ limit: 2 })) ids.push(id);
        return { email, ids, body: peer.bodies[0], connections: peer.connections };
      },
      gives: {
        email: 'a@b.test',
        ids: ['cus_1', 'cus_2', 'cus_3'],
        body: 'email=a%40b.test&metadata[key]=%C3%BC',
        connections: 1,
      },
    },
    'tries again when a connection breaks': {
      act: async (Stripe, kit) => {
        const { peer, stripe } = await clientOf(Stripe, kit, { maxNetworkRetries: 2 });
        const { id } = await stripe.customers.retrieve('reset');
        return { id, asked: peer.asked.length };
      },
      gives: { id: 'cus_1', asked: 2 },
    },
    'tells what is missing': {
      act: async (Stripe, kit) => {
        const { stripe } = await clientOf(Stripe, kit);
        const { code, statusCode } = await stripe.customers.retrieve('none').catch((error) => error);
        return { code, statusCode };
      },
      gives: { code: 'resource_missing', statusCode: 404 },
    },
    'tells of an answer that does not come': {
      mayNotArrive: true,
      act: async (Stripe, kit) => {
        const { stripe } = await clientOf(Stripe, kit, { timeout: 60 });
        return (await kit.errorOf(stripe.customers.retrieve('silent'))).message;
      },
      gives: 'Request aborted due to timeout being reached (60ms)',
    },
  },
};
