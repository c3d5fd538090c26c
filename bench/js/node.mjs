// node.mjs - seats in Node: each contender a process of its own
// SPDX-License-Identifier: MIT OR Apache-2.0
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export class NodeHost {
  title = `Node ${process.versions.node}`;
  kind = 'node';

  constructor(folders) { this.folders = folders; }

  async seat() {
    const child = fork(fileURLToPath(new URL('node-seat.mjs', import.meta.url)),
      [JSON.stringify(this.folders)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let said = '';
    child.on('error', () => {}); // told of one that ended: `ended` says so
    child.stderr.on('data', (text) => { said = (said + text).slice(-2000); });
    const ended = once(child, 'exit').then(([code]) => ({ error: `ended with ${code}: ${said}` }));
    return {
      /** { value, cpu, wall }, seconds. */
      async ask(call, ...args) {
        child.send({ call, args });
        const answer = await Promise.race([ended,
          new Promise((resolve) => { child.once('message', resolve); })]);
        if (answer.error !== undefined) throw new Error(answer.error);
        return answer;
      },
      async close() { child.kill(); },
    };
  }

  async close() {}
}
