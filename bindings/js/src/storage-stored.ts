// storage-stored.ts - an index and the store that it is kept in
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_BUSY, NIGH_E_CORRUPT, NIGH_E_EXISTS, NIGH_E_FORMAT, NIGH_E_INVALID,
  NIGH_E_NOT_FOUND, NIGH_E_READ_ONLY } from './abi.js';
import { _Handle, Index, type IndexOptions, type Key, type KeyKind, type KeyOf, load, NighError,
  type OpenOptions } from './api.js';
import type { Handle } from './handle.js';
import { isBlank } from './storage-super.js';
import { type Device, failed, notWritten } from './storage-device.js';
import { type Channel, channel, type Locks } from './storage-locks.js';
import { Store, type StoreStats } from './storage-store.js';
import { whole } from './whole.js';

/** A place that keeps stores by name. */
export interface Backend {
  /** What locks and channels of its stores begin with. */
  readonly scope: string;
  readonly locks: Locks;
  readonly pageBytes: number;
  check(name: string): void;
  /** Before one is made. */
  prepare?(): Promise<void>;
  /** A store to be written, empty if there was none; whoever calls has its lock. */
  device(name: string, create: boolean): Promise<Device | undefined>;
  /** A store as it was at one moment, and what tells this moment from others. */
  snapshot(name: string): Promise<{ device: Device; stamp: string } | undefined>;
  stamp(name: string): Promise<string>;
  list(): Promise<string[]>;
  remove(name: string): Promise<void>;
}

export interface StoreOptions<T extends KeyKind = KeyKind> extends
  Omit<OpenOptions<T>, 'writable' | 'verify'> {
  /** What to make where there is none yet. */
  create?: IndexOptions<T>;
  /** owner: to change it, NIGH_E_BUSY where another one does; follower: to read it; any: owner if
   * nobody else is. Default owner. */
  role?: 'owner' | 'follower' | 'any';
  /** Waits until the owner of before is gone. */
  wait?: boolean;
  /** Ends the waiting. */
  signal?: AbortSignal;
}

/** How often a reader begins again because commits came while it read. */
const TRIES = 20;

const made = <K extends Key>() => new (Index as unknown as new () => Index<K>)();

/** An index that a store keeps. */
export class Stored<K extends Key = Key> extends EventTarget {
  private store: Store | undefined;
  private device: Device | undefined;
  private release: (() => void) | undefined;
  private readonly channel: Channel;
  private stamp = '';
  private last: Promise<unknown> = Promise.resolve();
  private closed = false;

  private constructor(private readonly backend: Backend,
    /** The name of the store. */
    readonly name: string,
    /** The index; that of a follower is read-only, and changes by `refresh`. */
    readonly index: Index<K>, private readonly options: StoreOptions) {
    super();
    this.channel = channel(backend.scope + name, () => {
      if (!this.owner) this.dispatchEvent(new Event('commit'));
    });
  }

  // ---- Opened ------------------------------------------------------------------------------------

  /** @internal */
  static async _open<T extends KeyKind>(backend: Backend, name: string,
    options: StoreOptions<T>): Promise<Stored<KeyOf<T>>> {
    backend.check(name);
    await load('full');
    const { role = 'owner' } = options;
    if (options.create) await backend.prepare?.();
    const stored = new Stored<KeyOf<T>>(backend, name, made(), options as unknown as StoreOptions);
    try {
      if (role === 'follower' || !await stored._lock(options.wait ?? false, options.signal)) {
        if (role === 'owner') {
          throw failed(NIGH_E_BUSY, `${name}: another tab, worker or process has it open`);
        }
        await stored._read();
      } else {
        await stored._own(options.create as IndexOptions<KeyKind> | undefined);
      }
    } catch (error) {
      await stored.close();
      throw error;
    }
    return stored;
  }

  /** A store of an index that there is. @internal */
  static async _put<K extends Key>(backend: Backend, name: string, index: Index<K>,
    replace: boolean): Promise<Stored<K>> {
    backend.check(name);
    await load('full');
    await backend.prepare?.();
    const stored = new Stored<K>(backend, name, index, {});
    try {
      if (!await stored._lock(false)) {
        throw failed(NIGH_E_BUSY, `${name}: another tab, worker or process has it open`);
      }
      const device = (await backend.device(name, true))!;
      stored.device = device;
      const store = stored._store(whole(index), device);
      if (!isBlank(device)) {
        if (!replace) throw failed(NIGH_E_EXISTS, `${name}: there is one already`);
        store.mount();
      } else {
        store.mount(true);
      }
      stored.store = store;
      await stored.commit();
    } catch (error) {
      await stored.close(false);
      throw error;
    }
    return stored;
  }

  private async _lock(wait: boolean, signal?: AbortSignal): Promise<boolean> {
    this.release = await this.backend.locks.hold(this.backend.scope + this.name, wait, signal);
    return this.release !== undefined;
  }

  private _store(h: Handle, device: Device): Store {
    return new Store(h, device, this.name, true, this.backend.pageBytes);
  }

  /** Gives the index what the store holds. */
  private _take(h: Handle): void {
    const { keys, vectors, metric } = this.options;
    this.index._begin(h, keys, vectors as never, metric);
  }

  /** The owner's index, made where there is none. */
  private async _own(create: IndexOptions<KeyKind> | undefined): Promise<void> {
    const device = await this.backend.device(this.name, create !== undefined);
    if (!device) throw failed(NIGH_E_NOT_FOUND, `${this.name}: there is none`);
    this.device = device;
    const h = new _Handle();
    const store = this._store(h, device);
    try {
      store.mount();
      store.attach();
    } catch (error) {
      const { status } = error as NighError;
      const blank = (status === NIGH_E_FORMAT || status === NIGH_E_CORRUPT) && isBlank(device);
      if (!blank && status !== NIGH_E_NOT_FOUND) throw error;
      if (!create) throw failed(NIGH_E_NOT_FOUND, `${this.name}: nothing was committed to it yet`);
      await this._create(create, store, blank);
      return;
    }
    this._take(h);
    h.run(() => h.writable());
    this.store = store;
  }

  private async _create(create: IndexOptions<KeyKind>, store: Store, format: boolean):
  Promise<void> {
    const fresh = Index.createSync({ vectors: this.options.vectors, keys: this.options.keys,
      ...create } as IndexOptions<KeyKind>);
    const h = fresh._open();
    this.index._begin(h, create.keys ?? this.options.keys, (create.vectors ??
      this.options.vectors) as never, typeof create.metric === 'function' ? create.metric : undefined);
    this.store = this._store(h, store.device).mount(format);
    await this.commit(); // whoever follows finds it
  }

  /** The index as it is on the device, read-only. Whether it is another than before. */
  private async _read(): Promise<boolean> {
    let error: unknown;
    for (let i = 0; i < TRIES; i++) {
      const found = await this.backend.snapshot(this.name);
      if (!found) throw failed(NIGH_E_NOT_FOUND, `${this.name}: there is none`);
      if (found.stamp !== '' && found.stamp === this.stamp) return false;
      const h = new _Handle();
      try {
        new Store(h, found.device, this.name, false).mount().attach();
      } catch (caught) {
        error = caught;
        const torn = caught instanceof NighError &&
          (caught.status === NIGH_E_CORRUPT || caught.status === NIGH_E_FORMAT);
        if (!torn || await this.backend.stamp(this.name) === found.stamp) break;
        continue; // a commit came in between
      }
      if (await this.backend.stamp(this.name) !== found.stamp) continue;
      this._take(h);
      this.stamp = found.stamp;
      return true;
    }
    throw error ?? failed(NIGH_E_BUSY, `${this.name}: commits come faster than it can be read`);
  }

  // ---- Used --------------------------------------------------------------------------------------

  /** Whether this is the one that may change it. */
  get owner(): boolean { return this.release !== undefined && this.store !== undefined; }

  /** What the store holds, and what its commits cost since it was opened. */
  get stats(): StoreStats {
    return (this.store ?? this._not()).stats;
  }

  private _not(): never {
    throw this.closed ? failed(NIGH_E_INVALID, `${this.name}: it was closed`)
      : failed(NIGH_E_READ_ONLY, `${this.name}: another one owns it`);
  }

  /** One after another. */
  private _turn<T>(body: () => Promise<T>): Promise<T> {
    const turn = this.last.then(body);
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /** Makes the store hold the index as it is now: what changed is written, all of it or nothing,
   * whatever happens meanwhile. After an error the index is as it was, and so is the store; the
   * call may be repeated. */
  commit(): Promise<StoreStats> {
    return this._turn(async () => {
      const { device } = this;
      if (!this.store || !device) this._not();
      const h = this.index._open();
      // An index that outgrew its instance has moved to another one.
      this.store.usable();
      if (this.store.h !== h) this.store = this._store(h, device).mount();
      const stats = this.store.commit();
      try {
        await device.settle?.(stats.generation);
      } catch (error) {
        throw notWritten(this.name, error);
      }
      this.channel.post();
      return stats;
    });
  }

  /** Of a follower: takes over what was committed since. Whether there was anything. Cursors under
   * way go on with what was. */
  refresh(): Promise<boolean> {
    return this._turn(async () => {
      if (this.closed) this._not();
      if (this.owner) return false;
      if (this.stamp !== '' && await this.backend.stamp(this.name) === this.stamp) return false;
      return this._read();
    });
  }

  /** Of a follower: becomes the owner as soon as there is none. The index is then what was
   * committed last, and may be changed. */
  async own({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    if (this.closed) this._not();
    if (this.owner) return;
    if (!await this._lock(true, signal)) this._not();
    if (this.closed) {
      this.release!();
      return;
    }
    await this._turn(() => this._own(undefined)).catch((error: unknown) => {
      this.device?.close();
      this.device = undefined;
      this.release?.();
      this.release = undefined;
      throw error;
    });
    this.dispatchEvent(new Event('owner'));
  }

  /** Lets others own it. What was not committed is not kept. */
  async close(dispose = true): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.last;
    this.channel.close();
    this.store = undefined;
    this.device?.close();
    this.device = undefined;
    this.release?.();
    this.release = undefined;
    if (dispose) this.index.dispose();
  }
}
