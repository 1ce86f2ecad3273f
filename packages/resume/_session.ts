/** One session of a server: its connection, and who may resume it. */
import { Conn } from "./_conn.ts";
import type { ConnOwner } from "./_conn_owner.ts";
import type { Journal } from "./_journal.ts";
import type { SessionSecret } from "./_keys.ts";
import type { Bytes } from "./_records.ts";
import type { StreamCore } from "./_stream_core.ts";
import type { StreamCut } from "./store.ts";

/** What a session is told to do when its connection changes. */
export interface SessionKeeper {
  readonly journal: Journal | undefined;
  wait(session: Session): void;
  ended(session: Session, reason: string): void;
}

/** One session and who may resume it. */
export class Session implements ConnOwner {
  secret: SessionSecret;
  /** The secret that a client has if it heard the last answer, and was cut off then. */
  next: SessionSecret | undefined;
  /** The newest epoch that was used; recorded before anything is done with it. */
  epoch: number;
  readonly conn: Conn;
  /** When it ends without a transport. */
  waitsUntil: number = Infinity;
  readonly #keeper: SessionKeeper;

  constructor(keeper: SessionKeeper, parts: SessionParts) {
    const { sid, secret, keyId, core, epoch, restored, appState } = parts;
    const { onListenerError } = parts;
    this.#keeper = keeper;
    this.secret = secret;
    this.epoch = epoch;
    const identity = { sid: sid.toHex(), keyId, restored, appState };
    this.conn = new Conn(core, identity, this, onListenerError);
  }

  /** See {@linkcode ConnOwner}. */
  detached(): void {
    this.#keeper.wait(this);
  }

  /** See {@linkcode ConnOwner}. */
  changed(): void {
    const { journal } = this.#keeper;
    if (journal === undefined) return;
    // Once it is closed nothing more can be committed.
    if (!journal.manual || this.conn.core.closed) journal.touch(this);
  }

  /** See {@linkcode ConnOwner}. */
  commit(
    cut: StreamCut,
    appState: Uint8Array<ArrayBuffer>,
  ): Promise<void> | undefined {
    const { journal } = this.#keeper;
    return journal?.manual ? journal.commit(this, cut, appState) : undefined;
  }

  /** See {@linkcode ConnOwner}. */
  ended(reason: string): void {
    this.#keeper.ended(this, reason);
  }
}

/** What a session is made of. */
export interface SessionParts {
  readonly sid: Bytes;
  readonly secret: SessionSecret;
  readonly keyId: Bytes;
  readonly core: StreamCore;
  readonly epoch: number;
  readonly restored: boolean;
  readonly appState?: Uint8Array<ArrayBuffer> | undefined;
  readonly onListenerError: ((error: unknown) => void) | undefined;
}
