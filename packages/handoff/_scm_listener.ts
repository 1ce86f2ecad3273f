/** A path where senders connect, and the connections of those that did. */
import type { Trouble } from "./_judge.ts";
import type { Libc } from "./_libc.ts";
import { PeerConnection, type PeerRules } from "./_scm_receiver.ts";
import { encodeFrame } from "./_transfer_frame.ts";
import { acceptAll, listenAt, removePath } from "./_unix_path.ts";
import { Channel } from "./_channel.ts";

/** What is asked of the senders of one path. */
export interface ListenerRules extends PeerRules {
  /** How many may be connected at once. */
  readonly peersMax: number;
  /** The only connection, when there is no path, has ended. */
  onEnd(): void;
}

/** See the top of the file. */
export class ScmListener {
  readonly #libc: Libc;
  readonly #rules: ListenerRules;
  readonly #path: string | undefined;
  readonly #fd: number = -1;
  readonly #stop: AbortController = new AbortController();
  readonly #peers: Set<PeerConnection> = new Set();
  readonly #accepting: Promise<void> | undefined;
  #closed = false;

  constructor(
    libc: Libc,
    source: string | { readonly fd: number },
    rules: ListenerRules,
  ) {
    this.#libc = libc;
    this.#rules = rules;
    if (typeof source !== "string") {
      const peer = this.#join(source.fd);
      void peer.done.then(() => rules.onEnd());
      return;
    }
    this.#path = source;
    this.#fd = listenAt(libc, source);
    const F_SETFL = 4;
    libc.call.fcntl(this.#fd, F_SETFL, libc.layout.O_NONBLOCK);
    this.#accepting = this.#accept();
  }

  get peers(): number {
    return this.#peers.size;
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#stop.abort();
      for (const peer of this.#peers) peer.close();
      if (this.#path !== undefined) {
        removePath(this.#libc, this.#path);
        this.#libc.call.close(this.#fd);
      }
    }
    await this.#accepting;
    await Promise.all([...this.#peers].map(({ done }) => done));
  }

  async #accept(): Promise<void> {
    for await (const fd of acceptAll(this.#libc, this.#fd, this.#stop.signal)) {
      if (this.#peers.size < this.#rules.peersMax) this.#join(fd);
      else this.#turnAway(fd);
    }
  }

  #join(fd: number): PeerConnection {
    const peer = new PeerConnection(this.#libc, fd, this.#rules);
    this.#peers.add(peer);
    void peer.done.finally(() => this.#peers.delete(peer));
    return peer;
  }

  #turnAway(fd: number): void {
    const channel = new Channel(this.#libc, fd, 0);
    const trouble: Trouble = {
      code: "handoff/quota",
      reason: `${this.#rules.peersMax} senders are connected already`,
    };
    channel.trySend(encodeFrame("refused", { json: trouble }), []);
    this.#rules.onRefused(trouble, channel.peer);
    channel.close();
  }
}
