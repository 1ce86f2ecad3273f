/** What a connection and its session say to each other. */
import type { Notice } from "./_notice.ts";
import type { StreamCut } from "./store.ts";

/** What the session layer gives a connection and hears from it. */
export interface ConnOwner {
  /** The transport is gone: get another one, or wait for it. */
  detached(): void;
  /** The connection is over for whatever reason. */
  ended(reason: string): void;
  /** The peer told something ahead of time. */
  noticed?(notice: Notice): void;
  /** The program or the peer moved the stream: a store may want to know. */
  changed?(): void;
  /** Records what the program commits; `undefined` where it cannot. */
  commit?(
    cut: StreamCut,
    appState: Uint8Array<ArrayBuffer>,
  ): Promise<void> | undefined;
}

/** Who a connection is. */
export interface SessionIdentity {
  readonly sid: string;
  readonly keyId: Uint8Array<ArrayBuffer>;
  readonly restored: boolean;
  /** What its program committed elsewhere. */
  readonly appState?: Uint8Array<ArrayBuffer> | undefined;
  /** Whether writes reject, instead of waiting, when the buffer is full without a transport. */
  readonly failsWhenDetached?: boolean;
}
