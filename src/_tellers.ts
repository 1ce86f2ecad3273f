/**
 * Tells other peers where this one is now. What is on its way is taken back
 * when there is something newer: only the last place counts.
 */
export class Tellers {
  readonly #send: (peer: string, signal: AbortSignal) => Promise<unknown>;
  readonly #telling = new Map<string, AbortController>();

  constructor(send: (peer: string, signal: AbortSignal) => Promise<unknown>) {
    this.#send = send;
  }

  /** Tells each of them; whoever does not hear it asks by itself. */
  tell(peers: readonly string[]): void {
    for (const peer of peers) {
      this.#telling.get(peer)?.abort();
      const telling = new AbortController();
      this.#telling.set(peer, telling);
      this.#send(peer, telling.signal).catch(() => {}).finally(() => {
        if (this.#telling.get(peer) === telling) this.#telling.delete(peer);
      });
    }
  }

  /** A broker is back: what is on its way waits no longer for its turn. */
  hurry(): void {
    this.tell([...this.#telling.keys()]);
  }

  end(): void {
    for (const telling of this.#telling.values()) telling.abort();
    this.#telling.clear();
  }
}
