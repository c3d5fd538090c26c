// fs.mjs - what tests use of node:fs: files are those of the server, to be read at once
// SPDX-License-Identifier: MIT OR Apache-2.0
import { Bytes } from './globals.mjs';

function ask(method, path) {
  const request = new XMLHttpRequest();
  request.open(method, path, false);
  // A page may not ask for bytes this way, but for text of which each character is one.
  request.overrideMimeType('text/plain; charset=x-user-defined');
  request.send();
  return request;
}

export function readFileSync(path, encoding) {
  const { status, responseText } = ask('GET', path);
  if (status !== 200) throw Object.assign(new Error(`${path}: ${status}`), { code: 'ENOENT' });
  const bytes = Bytes.from(responseText, (character) => character.charCodeAt(0) & 255);
  return encoding ? bytes.toString() : bytes;
}

/** Of the paths that the tests ask for, only the server's are known not to be errors of theirs. */
export const existsSync = (path) => !path.startsWith('/proc/') && ask('HEAD', path).status === 200;
