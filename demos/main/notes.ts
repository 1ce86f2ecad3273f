/** Small numbered messages through signalling, counted at the other end. */
import type { Signalling } from "@holdfast/signal";
import { say } from "./lines.ts";

const PAUSE_MS = 20;

/** Sends so many notes and counts those of the other end, each number once. */
export class Notes {
  readonly #signalling: Signalling;
  readonly #seen = new Set<number>();
  readonly #sent: number;
  #acknowledged = 0;
  #duplicates = 0;

  constructor(signalling: Signalling, peer: string, count: number) {
    this.#signalling = signalling;
    this.#sent = count;
    void this.#read();
    void this.#send(peer);
  }

  /** Says what became of them so far. */
  report(): undefined {
    say({
      type: "notes",
      sent: this.#sent,
      acknowledged: this.#acknowledged,
      received: this.#seen.size,
      duplicates: this.#duplicates,
    });
  }

  async #read(): Promise<void> {
    for await (const { bytes } of this.#signalling.receive()) {
      const number = Number(new TextDecoder().decode(bytes));
      if (this.#seen.has(number)) this.#duplicates++;
      this.#seen.add(number);
    }
  }

  async #send(peer: string): Promise<void> {
    const sends: Promise<void>[] = [];
    for (let i = 0; i < this.#sent; i++) {
      const bytes = new TextEncoder().encode(String(i));
      sends.push(
        this.#signalling.send(peer, bytes).then(
          () => void this.#acknowledged++,
          () => {},
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    await Promise.all(sends);
    say({ type: "notes-sent" });
  }
}
