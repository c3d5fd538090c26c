// storage-locks.ts - one owner for each store, and word of its commits to all others
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Web Locks end with the tab that holds them, however it ends, and the next in line has it then.

/** Locks by name. */
export interface Locks {
  /** Gives the lock up again; undefined: another one has it, and it was not to be waited for. */
  hold(name: string, wait: boolean, signal?: AbortSignal): Promise<(() => void) | undefined>;
}

interface Manager {
  request(name: string, options: { ifAvailable?: boolean; signal?: AbortSignal },
    run: (lock: unknown) => Promise<void> | undefined): Promise<unknown>;
}

const web = (manager: Manager): Locks => ({
  hold: (name, wait, signal) => new Promise((resolve, reject) => {
    const options = wait ? (signal ? { signal } : {}) : { ifAvailable: true };
    manager.request(name, options, (lock) => {
      if (!lock) {
        resolve(undefined);
        return undefined;
      }
      return new Promise<void>((release) => { resolve(release); });
    }).catch(reject);
  }),
});

/** Where there are no Web Locks (Node 20): for this thread alone. */
const waiting = new Map<string, (() => void)[]>();
const local: Locks = {
  hold: (name, wait, signal) => new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const take = () => {
      signal?.removeEventListener('abort', stop);
      let held = true;
      resolve(() => {
        const queue = waiting.get(name)!;
        const next = held ? queue.shift() : undefined;
        if (next) next();
        else if (held) waiting.delete(name);
        held = false;
      });
    };
    const stop = () => {
      const queue = waiting.get(name);
      queue?.splice(queue.indexOf(take), 1);
      reject(signal!.reason as Error);
    };
    const queue = waiting.get(name);
    if (!queue) {
      waiting.set(name, []);
      take();
    } else if (wait) {
      queue.push(take);
      signal?.addEventListener('abort', stop, { once: true });
    } else {
      resolve(undefined);
    }
  }),
};

export function platformLocks(): Locks {
  const { locks } = (globalThis as { navigator?: { locks?: Manager } }).navigator ?? {};
  return locks ? web(locks) : local;
}

/** Tells the others of a store. */
export interface Channel { post(): void; close(): void }

export function channel(name: string, heard: () => void): Channel {
  if (typeof BroadcastChannel !== 'function') return { post() {}, close() {} };
  const made = new BroadcastChannel(name);
  made.onmessage = heard;
  (made as { unref?: () => void }).unref?.(); // Node: it keeps no process alive
  return { post: () => made.postMessage(0), close: () => made.close() };
}
