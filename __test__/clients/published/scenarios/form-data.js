'use strict';

const fs = require('node:fs');
const { once } = require('node:events');
const { Readable } = require('node:stream');

function formOf(FormData) {
  const form = new FormData();
  form.append('field', 'value ü');
  form.append('file', fs.createReadStream(require.resolve('./form-data')), { filename: 'f.js' });
  form.append('stream', Readable.from(['one ', 'two']), { filename: 's.txt', knownLength: 7 });
  return form;
}

const told = async (res) => {
  const { headers, body, length } = JSON.parse(Buffer.concat(await res.toArray()));
  return {
    type: headers['content-type'],
    encoding: headers['transfer-encoding'],
    isWhole: (body?.length ?? length) > 1000,
  };
};

module.exports = {
  load: async () => require('form-data'),
  given: 'transport',
  scenarios: {
    'is piped into a request': {
      act: async (FormData, kit) => {
        const form = formOf(FormData);
        const req = kit.http.request(`${kit.url}/mirror`, {
          method: 'POST',
          headers: form.getHeaders(),
          agent: kit.agent(),
        });
        form.pipe(req);
        const [res] = await once(req, 'response');
        return told(res);
      },
      gives: { type: 'multipart/form-data; boundary=BOUNDARY', encoding: 'chunked', isWhole: true },
    },
    'is sent with its length': {
      act: async (FormData, kit) => {
        const form = formOf(FormData);
        const length = await new Promise((resolve, reject) => {
          form.getLength((error, bytes) => (error ? reject(error) : resolve(bytes)));
        });
        const req = kit.http.request(`${kit.url}/mirror`, {
          method: 'POST',
          headers: { ...form.getHeaders(), 'Content-Length': length },
          agent: kit.agent(),
        });
        form.pipe(req);
        const [res] = await once(req, 'response');
        return told(res);
      },
      gives: { type: 'multipart/form-data; boundary=BOUNDARY', isWhole: true },
    },
  },
};
