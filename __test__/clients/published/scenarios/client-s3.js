'use strict';

/** AWS' client of S3, over @smithy/node-http-handler, against an S3 that keeps what it is sent. */

const { Readable } = require('node:stream');
const { text } = require('node:stream/consumers');
const { DOWNLOAD, sha256 } = require('../peers');

const MIB = 1024 * 1024;

/** Six megabytes: two parts, as five are the least that a part may have. */
const LARGE = Buffer.concat([DOWNLOAD, DOWNLOAD]);

/** Takes the framing of `aws-chunked` away, whose sizes are hexadecimal and may have a signature behind them. */
function withoutAwsChunks(bytes) {
  const pieces = [];
  for (let at = 0; ;) {
    const end = bytes.indexOf('\r\n', at);
    const size = parseInt(bytes.toString('latin1', at, end), 16);
    if (size === 0) return Buffer.concat(pieces);
    pieces.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

async function bodyOf(req) {
  const bytes = Buffer.concat(await req.toArray());
  return req.headers['content-encoding']?.includes('aws-chunked') ? withoutAwsChunks(bytes) : bytes;
}

/** As much of S3 as the scenarios ask of it. */
async function serveS3(kit) {
  const objects = new Map();
  const parts = new Map();
  const expected = [];
  const asked = [];
  let failures = 0;
  const handlers = {
    'POST uploads': (req, res) =>
      res.end('<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>'),
    'PUT uploadId': async (req, res, { searchParams }) => {
      parts.set(Number(searchParams.get('partNumber')), await bodyOf(req));
      res.writeHead(200, { ETag: `"${searchParams.get('partNumber')}"` }).end();
    },
    'POST uploadId': async (req, res, { pathname }) => {
      const numbers = [...(await text(req)).matchAll(/<PartNumber>(\d+)</g)].map(([, number]) => Number(number));
      objects.set(pathname, Buffer.concat(numbers.map((number) => parts.get(number))));
      res.end('<CompleteMultipartUploadResult><Key>large</Key><ETag>"whole"</ETag></CompleteMultipartUploadResult>');
    },
    'DELETE uploadId': (req, res) => res.writeHead(204).end(),
    'PUT ': async (req, res, { pathname }) => {
      if (pathname.endsWith('/flaky') && failures++ < 2) {
        req.resume();
        res.writeHead(503).end('<Error><Code>SlowDown</Code><Message>slower</Message></Error>');
        return;
      }
      objects.set(pathname, await bodyOf(req));
      res.writeHead(200, { ETag: '"one"' }).end();
    },
    'GET ': (req, res, { pathname }) => {
      const object = objects.get(pathname);
      if (object) res.writeHead(200, { 'Content-Length': object.length }).end(object);
      else res.writeHead(404).end('<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>');
    },
  };
  function listener(req, res) {
    const url = new URL(req.url, 'http://s3');
    asked.push(`${req.method} ${url.pathname}`);
    const key = ['uploads', 'uploadId'].find((name) => url.searchParams.has(name)) ?? '';
    handlers[`${req.method} ${key}`](req, res, url);
  }
  const peer = await kit.serve('s3', listener);
  peer.server.on('checkContinue', (req, res) => {
    expected.push(req.url.split('?')[0]);
    if (req.url.startsWith('/bucket/denied')) {
      res
        .writeHead(403, { Connection: 'close' })
        .end('<Error><Code>AccessDenied</Code><Message>no</Message></Error>');
      return;
    }
    res.writeContinue();
    listener(req, res);
  });
  return Object.assign(peer, { asked, objects, expected });
}

async function clientOf({ S3Client, NodeHttpHandler }, kit, options) {
  const s3 = await serveS3(kit);
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${s3.port}`,
    region: 'here',
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    forcePathStyle: true,
    requestHandler: new NodeHttpHandler({ httpAgent: kit.agent({ keepAlive: true, maxSockets: 8 }) }),
    ...options,
  });
  kit.cleanUp(() => client.destroy());
  return { s3, client };
}

module.exports = {
  load: async () => ({
    ...require('@aws-sdk/client-s3'),
    ...require('@aws-sdk/lib-storage'),
    ...require('@smithy/node-http-handler'),
  }),
  given: 'agent',
  scenarios: {
    'puts an object, after 100 Continue, and gets it': {
      act: async (library, kit) => {
        const { s3, client } = await clientOf(library, kit);
        const target = { Bucket: 'bucket', Key: 'one' };
        await client.send(new library.PutObjectCommand({ ...target, Body: LARGE.subarray(0, 3 * MIB) }));
        const { Body } = await client.send(new library.GetObjectCommand(target));
        return { hash: sha256(await Body.transformToByteArray()), expected: s3.expected };
      },
      gives: { hash: sha256(LARGE.subarray(0, 3 * MIB)), expected: ['/bucket/one'] },
    },
    'sends no body where the answer to Expect is a refusal': {
      act: async (library, kit) => {
        const { client } = await clientOf(library, kit);
        const { name, message } = await kit.errorOf(
          client.send(
            new library.PutObjectCommand({
              Bucket: 'bucket',
              Key: 'denied',
              Body: LARGE,
            }),
          ),
        );
        return { name, message };
      },
      gives: { name: 'AccessDenied', message: 'no' },
    },
    'uploads a stream in parts': {
      act: async (library, kit) => {
        const { s3, client } = await clientOf(library, kit);
        const pieces = Array.from({ length: 60 }, (_, index) =>
          LARGE.subarray(index * 100_000, (index + 1) * 100_000),
        );
        const upload = new library.Upload({
          client,
          params: { Bucket: 'bucket', Key: 'large', Body: Readable.from(pieces) },
          queueSize: 2,
          partSize: 5 * MIB,
        });
        const { ETag } = await upload.done();
        return { ETag, hash: sha256(s3.objects.get('/bucket/large')), asked: s3.asked };
      },
      gives: {
        ETag: '"whole"',
        hash: sha256(LARGE),
        asked: ['POST /bucket/large', 'PUT /bucket/large', 'PUT /bucket/large', 'POST /bucket/large'],
      },
    },
    'tries again when it is told to slow down': {
      act: async (library, kit) => {
        const { s3, client } = await clientOf(library, kit);
        const { $metadata } = await client.send(
          new library.PutObjectCommand({ Bucket: 'bucket', Key: 'flaky', Body: 'x' }),
        );
        return { attempts: $metadata.attempts, asked: s3.asked.length };
      },
      gives: { attempts: 3, asked: 3 },
    },
    'tells that there is no such key': {
      act: async (library, kit) => {
        const { client } = await clientOf(library, kit);
        const { name, message } = await kit.errorOf(
          client.send(new library.GetObjectCommand({ Bucket: 'bucket', Key: 'none' })),
        );
        return { name, message };
      },
      gives: { name: 'NoSuchKey', message: 'no such key' },
    },
    'is aborted': {
      act: async (library, kit) => {
        const { NodeHttpHandler, S3Client, GetObjectCommand } = library;
        const client = new S3Client({
          endpoint: `${kit.url}/silent`,
          region: 'here',
          credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
          forcePathStyle: true,
          requestHandler: new NodeHttpHandler({ httpAgent: kit.agent({ keepAlive: true }) }),
        });
        const controller = new AbortController();
        const failure = kit.errorOf(
          client.send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }), { abortSignal: controller.signal }),
        );
        await kit.until(() => kit.origin.asked.length === 1);
        controller.abort();
        const { name } = await failure;
        await kit.untilClosed();
        return name;
      },
      gives: 'AbortError',
    },
    'tells that nobody listens': {
      act: async (library, kit) => {
        const { NodeHttpHandler, S3Client, GetObjectCommand } = library;
        const client = new S3Client({
          endpoint: kit.refusedUrl,
          region: 'here',
          credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
          forcePathStyle: true,
          maxAttempts: 1,
          requestHandler: new NodeHttpHandler({ httpAgent: kit.agent() }),
        });
        const { code } = await kit.errorOf(client.send(new GetObjectCommand({ Bucket: 'b', Key: 'k' })));
        return code;
      },
      gives: 'ECONNREFUSED',
    },
  },
};
