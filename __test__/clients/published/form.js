'use strict';

const { File: FileOfNode } = require('node:buffer');

const FormDataOfNode = globalThis.FormData;

/**
 * Makes the form of a scenario.
 * @param {{ field: string, file: string }} content
 * @param {{ FormData?: typeof globalThis.FormData, File?: typeof globalThis.File }} [classes] Node's own by default.
 * @returns {FormData}
 */
function formOf({ field, file }, { FormData = FormDataOfNode, File = FileOfNode } = {}) {
  const form = new FormData();
  form.append('field', field);
  form.append('file', new File([file], 'f.txt'));
  return form;
}

module.exports = { formOf };
