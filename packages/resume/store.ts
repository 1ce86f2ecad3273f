/**
 * What a store of sessions is: a place outside the process where sessions
 * outlive it. `memoryStore()` is one in this module; `./sqlite` has one in a
 * file, and `./redis` one for several servers.
 *
 * Whoever owns a session says so by its epoch, which only grows: each call
 * names the epoch that its caller believes to own, and a store turns away what
 * comes from an older one, however late it comes. So a server that was frozen,
 * while another one took its sessions over, cannot harm them when it thaws.
 *
 * @module
 */
export { memoryStore, type MemoryStoreOptions } from "./memory_store.ts";

/**
 * A point of a stream that a server can go back to: what the program has read,
 * and what it has written in answer.
 */
export interface StreamCut {
  /** Bytes that the program wrote. */
  readonly written: number;
  /** Bytes that the program read, or says that it has made use of. */
  readonly consumed: number;
  /** Whether the program wrote all that it had to say. */
  readonly finQueued: boolean;
  /** Whether it read to the end. */
  readonly finRead: boolean;
  /** Whether the peer wants nothing more. */
  readonly peerClosed: boolean;
}

/** Written bytes as they go on the wire: whole frames. A store does not look inside. */
export interface WrittenFrames {
  /** The stream offset of the first byte. */
  readonly from: number;
  /** The stream offset after the last one. */
  readonly to: number;
  /** The frames; valid until the call that they are passed to has settled. */
  readonly frames: Uint8Array<ArrayBuffer>;
}

/** Who may resume a session. */
export interface StoredHead {
  /** The newest epoch that was claimed. */
  readonly epoch: number;
  /** What proves the session, 64 bytes: to be kept as a password is. */
  readonly secret: Uint8Array<ArrayBuffer>;
  /** What its client may have moved on to; empty if nothing. */
  readonly nextSecret: Uint8Array<ArrayBuffer>;
  /** The name of its pre-shared key; empty without one. */
  readonly keyId: Uint8Array<ArrayBuffer>;
  /** Set once it has ended: what its server had received, as clients are told. */
  readonly ended: number | undefined;
}

/** A whole session. */
export interface StoredSession extends StoredHead {
  /** Where it goes on. */
  readonly cut: StreamCut;
  /** What was written up to there and not acknowledged, in order and without gaps. */
  readonly output: readonly WrittenFrames[];
  /** What the program committed last; `undefined` if it never did. */
  readonly appState: Uint8Array<ArrayBuffer> | undefined;
}

/** A session that nobody has yet. */
export interface NewSessionRecord {
  /** Its public id, in hexadecimal. */
  readonly sid: string;
  /** See {@linkcode StoredHead.secret}. */
  readonly secret: Uint8Array<ArrayBuffer>;
  /** See {@linkcode StoredHead.keyId}. */
  readonly keyId: Uint8Array<ArrayBuffer>;
  /** When it may be forgotten, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Takes a session over: from one epoch to a later one. */
export interface SessionClaim {
  /** Its public id. */
  readonly sid: string;
  /** The epoch that it must have. */
  readonly from: number;
  /** The epoch that it has from now on. */
  readonly to: number;
  /** What its client has proven itself with. */
  readonly secret: Uint8Array<ArrayBuffer>;
  /** What it will move on to. */
  readonly nextSecret: Uint8Array<ArrayBuffer>;
  /** When it may be forgotten, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** What happened to a session. */
export interface SessionChange {
  /** Its public id. */
  readonly sid: string;
  /** The epoch that the caller owns; another one is turned away. */
  readonly epoch: number;
  /** When it may be forgotten, in milliseconds since 1970. */
  readonly expiresAt: number;
  /** Where it goes on from now on, if that has changed. */
  readonly cut?: StreamCut | undefined;
  /** What was written since the last cut, in order. */
  readonly frames?: readonly WrittenFrames[] | undefined;
  /** Everything written before it may be forgotten: the peer has it. */
  readonly acked: number;
  /** What the program commits, together with the cut. */
  readonly appState?: Uint8Array<ArrayBuffer> | undefined;
  /**
   * It is over: what this end had received, to be told until `expiresAt`; or
   * `"forgotten"`, to be told of nothing.
   */
  readonly ended?: number | "forgotten" | undefined;
}

/**
 * Where sessions outlive a process. Every method is atomic: a crash leaves all
 * of a call, or nothing of it. A promise that resolves says that what it did
 * will be found again, as far as the store promises; one that rejects says
 * nothing, and the call may be made again.
 */
export interface SessionStore extends AsyncDisposable {
  /**
   * Records a session with epoch 1 and nothing read or written. If there is
   * one already, nothing happens.
   */
  create(session: NewSessionRecord): Promise<void>;
  /** Who may resume a session; `undefined` if there is none, or it has expired. */
  find(sid: string): Promise<StoredHead | undefined>;
  /**
   * Takes a session over and gives all of it; `undefined` if there is none, if
   * it has ended, or if its epoch is another one.
   */
  claim(claim: SessionClaim): Promise<StoredSession | undefined>;
  /**
   * Records changes, all of them or none; gives the ids of those sessions that
   * are gone or belong to another epoch, of which nothing was recorded.
   */
  commit(changes: readonly SessionChange[]): Promise<readonly string[]>;
}
