'use strict';

/** GitHub's client asks by the `fetch` that it is given: node-fetch here, over node:http. */

async function serveGitHub(kit) {
  const peer = await kit.serve('github', async (req, res) => {
    const body = Buffer.concat(await req.toArray()).toString();
    peer.asked.push(`${req.method} ${req.url}`);
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    if (req.url === '/repos/o/none') res.writeHead(404).end('{"message":"Not Found"}');
    else if (req.method === 'POST')
    {res.writeHead(201).end(JSON.stringify({ ...JSON.parse(body), by: req.headers.authorization }));}
    else res.end(JSON.stringify({ full_name: req.url.slice('/repos/'.length) }));
  });
  return peer;
}

module.exports = {
  load: async () => ({ ...(await import('@octokit/core')), fetch: (await import('node-fetch')).default }),
  given: 'agent',
  scenarios: {
    'gets, posts, and tells what is not found': {
      act: async ({ Octokit, fetch }, kit) => {
        const peer = await serveGitHub(kit);
        const agent = kit.agent({ keepAlive: true });
        const octokit = new Octokit({
          baseUrl: `http://127.0.0.1:${peer.port}`,
          auth: 'token',
          request: { fetch: (url, options) => fetch(url, { ...options, agent }) },
        });
        const { data } = await octokit.request('GET /repos/{owner}/{repo}', { owner: 'o', repo: 'r' });
        const created = await octokit.request('POST /repos/{owner}/{repo}/issues', {
          owner: 'o',
          repo: 'r',
          title: 'ö',
        });
        const { status } = await octokit.request('GET /repos/o/none').catch((error) => error);
        return {
          name: data.full_name,
          created: [created.status, created.data],
          status,
          connections: peer.connections,
        };
      },
      gives: { name: 'o/r', created: [201, { title: 'ö', by: 'token token' }], status: 404, connections: 1 },
    },
  },
};
