// assets.ts - files that prepare.py made: from the cache of this origin, else from the network
// SPDX-License-Identifier: MIT OR Apache-2.0
import manifest from 'page-data/manifest.json';

export { manifest };
export type Name = keyof typeof manifest.files;
/** Bytes of a file that came from the network so far. */
export type Progress = (name: Name, done: number) => void;
type Bytes = Uint8Array<ArrayBuffer>;

const CACHE = 'nigh-example-data';
const OFFLINE = 'There is no network, and this part of the page is not saved yet.';

async function received(response: Response, came: (done: number) => void): Promise<Bytes> {
  const parts: Bytes[] = [];
  let done = 0;
  for (const reader = response.body!.getReader();;) {
    const { value } = await reader.read();
    if (!value) break;
    parts.push(value);
    done += value.length;
    came(done);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** A server that knows gzip may have made the browser unpack the file: what counts is its head. */
async function unpacked(bytes: Bytes): Promise<Bytes> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export class Assets {
  /** Whether all that was to be kept is. */
  complete = true;
  private readonly kept: Promise<Cache | undefined>;

  /** @param base the folder of the page */
  constructor(private readonly base: string, private readonly progress: Progress) {
    this.kept = (async () => caches.open(CACHE))().catch(() => undefined);
  }

  private address(name: Name): string { return new URL(manifest.files[name].file, this.base).href; }

  /** The unpacked content of a file. keep: so that the next start needs no network. */
  async load(name: Name, { keep = true } = {}): Promise<Bytes> {
    const { file, bytes: total, size } = manifest.files[name];
    const address = this.address(name);
    const kept = await this.kept;
    const found = await kept?.match(address);
    const came = (done: number) => { if (!found) this.progress(name, Math.min(done, total)); };
    came(0);
    const response = found ?? await fetch(address).catch(() => { throw new Error(OFFLINE); });
    if (!response.ok) throw new Error(`${file}: ${response.status} ${response.statusText}`);
    const bytes = await received(response, came);
    const content = await unpacked(bytes).catch(() => undefined);
    if (content?.length !== size) {
      await kept?.delete(address);
      throw new Error(`${file} did not arrive whole.`);
    }
    if (keep && !found) { // where there is no room for it, the page works all the same
      const put = kept?.put(address, new Response(bytes)) ?? Promise.reject(new Error('no cache'));
      await put.catch(() => { this.complete = false; });
    }
    return content;
  }

  /** Drops files of earlier versions of the page. */
  async sweep(): Promise<void> {
    const kept = await this.kept;
    const current = (Object.keys(manifest.files) as Name[]).map((name) => this.address(name));
    for (const request of await kept?.keys() ?? []) {
      if (!current.includes(request.url)) await kept!.delete(request);
    }
  }

  async forget(): Promise<void> {
    await caches.delete(CACHE).catch(() => false);
  }
}
