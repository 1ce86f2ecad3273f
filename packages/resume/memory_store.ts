import { FIRST_CUT } from "./_core_state.ts";
import type {
  NewSessionRecord,
  SessionChange,
  SessionClaim,
  SessionStore,
  StoredHead,
  StoredSession,
  StreamCut,
  WrittenFrames,
} from "./store.ts";

type Bytes = Uint8Array<ArrayBuffer>;

interface Row {
  epoch: number;
  secret: Bytes;
  nextSecret: Bytes;
  readonly keyId: Bytes;
  expiresAt: number;
  ended: number | undefined;
  cut: StreamCut;
  output: WrittenFrames[];
  appState: Bytes | undefined;
}

const NOTHING: Bytes = new Uint8Array(0);

/** Options for {@linkcode memoryStore}. */
export interface MemoryStoreOptions {
  /**
   * Milliseconds since 1970.
   *
   * @default {Date.now}
   */
  readonly now?: (() => number) | undefined;
}

/**
 * A store in the memory of this process: for tests, and for several servers in
 * one program. Sessions do not outlive the process.
 *
 * ```ts
 * import { memoryStore } from "@holdfast/resume/store";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = memoryStore();
 * const sid = "00112233445566778899aabbccddeeff";
 * const secret = crypto.getRandomValues(new Uint8Array(64));
 * const keyId = new Uint8Array(0);
 * await store.create({ sid, secret, keyId, expiresAt: Date.now() + 60_000 });
 * assertEquals((await store.find(sid))?.epoch, 1);
 * ```
 */
export function memoryStore(options: MemoryStoreOptions = {}): SessionStore {
  return new MemoryStore(options.now ?? Date.now);
}

class MemoryStore implements SessionStore {
  readonly #rows = new Map<string, Row>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  create({ sid, secret, keyId, expiresAt }: NewSessionRecord): Promise<void> {
    this.#sweep();
    if (this.#row(sid) === undefined) {
      this.#rows.set(sid, {
        epoch: 1,
        secret,
        nextSecret: NOTHING,
        keyId,
        expiresAt,
        ended: undefined,
        cut: FIRST_CUT,
        output: [],
        appState: undefined,
      });
    }
    return Promise.resolve();
  }

  // The oldest first, and no further than the first one that lives.
  #sweep(): void {
    for (const sid of this.#rows.keys()) {
      if (this.#row(sid) !== undefined) return;
    }
  }

  #row(sid: string): Row | undefined {
    const row = this.#rows.get(sid);
    if (row === undefined || row.expiresAt > this.#now()) return row;
    this.#rows.delete(sid);
    return undefined;
  }

  find(sid: string): Promise<StoredHead | undefined> {
    const row = this.#row(sid);
    return Promise.resolve(row === undefined ? undefined : { ...row });
  }

  claim(claim: SessionClaim): Promise<StoredSession | undefined> {
    const row = this.#row(claim.sid);
    if (row?.epoch !== claim.from || row.ended !== undefined) {
      return Promise.resolve(undefined);
    }
    row.epoch = claim.to;
    row.secret = claim.secret;
    row.nextSecret = claim.nextSecret;
    row.expiresAt = claim.expiresAt;
    return Promise.resolve({ ...row, output: [...row.output] });
  }

  commit(changes: readonly SessionChange[]): Promise<readonly string[]> {
    const turnedAway: string[] = [];
    for (const change of changes) {
      const row = this.#row(change.sid);
      if (row?.epoch === change.epoch) this.#change(row, change);
      else turnedAway.push(change.sid);
    }
    return Promise.resolve(turnedAway);
  }

  #change(row: Row, change: SessionChange): void {
    row.expiresAt = change.expiresAt;
    row.cut = change.cut ?? row.cut;
    row.appState = change.appState?.slice() ?? row.appState;
    for (const { from, to, frames } of change.frames ?? []) {
      row.output.push({ from, to, frames: frames.slice() });
    }
    row.output = row.output.filter(({ to }) => to > change.acked);
    if (change.ended === undefined) return;
    row.output = [];
    row.appState = undefined;
    if (change.ended === "forgotten") this.#rows.delete(change.sid);
    else row.ended = change.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#rows.clear();
    return Promise.resolve();
  }
}
