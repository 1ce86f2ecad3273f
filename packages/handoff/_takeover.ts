/** The arriving side of an upgrade: carries out what `_successor.ts` decides. */
import { createHash, type Hash } from "node:crypto";
import { encodeHello, encodeMessage, MessageDecoder } from "./_frames.ts";
import {
  stepSuccessor,
  type SuccessorAction,
  type SuccessorInput,
  type SuccessorPhase,
} from "./_successor.ts";
import { HandoffError } from "./error.ts";
import { closeOnce } from "./_lineage.ts";
import { unref } from "./_upgrade.ts";
import type { ControlChannel } from "./spawned.ts";

const READ_BYTES = 256 * 1024;

/** The successor's end of the control channel. */
export class Takeover {
  readonly #control: ControlChannel;
  readonly #stateBytesMax: number;
  readonly #onDraining: (control: ControlChannel, count: number) => void;
  #serves = false;
  readonly #delivered: PromiseWithResolvers<Uint8Array | undefined> = Promise
    .withResolvers();
  readonly #serving: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #hash: Hash = createHash("sha256");
  #phase: SuccessorPhase = { name: "loading" };
  #state: Uint8Array | undefined;
  #stored = 0;
  #closed = false;

  constructor(
    control: ControlChannel,
    stateBytesMax: number,
    onDraining: (control: ControlChannel, count: number) => void,
  ) {
    this.#onDraining = onDraining;
    this.#control = control;
    this.#stateBytesMax = stateBytesMax;
    // Each is awaited by who asks for it, if anybody does.
    this.#delivered.promise.catch(() => {});
    this.#serving.promise.catch(() => {});
  }

  /** Asks for the predecessor's state; the same one every time. */
  state(): Promise<Uint8Array | undefined> {
    if (this.#phase.name === "loading") {
      this.#send(encodeHello());
      this.#dispatch({ type: "ask" });
      this.#readAll();
    }
    return this.#delivered.promise;
  }

  /** Tells that this process can serve; resolves when it may. */
  announce(): Promise<void> {
    this.#dispatch({ type: "announce" });
    return this.#serving.promise;
  }

  /** Closes the channel; who waits is told that it is over. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const error = new DOMException("The upgrader is closed", "AbortError");
    this.#delivered.reject(error);
    this.#serving.reject(error);
    closeOnce(this.#control);
  }

  #dispatch(input: SuccessorInput): void {
    const { phase, actions } = stepSuccessor(
      this.#phase,
      input,
      this.#stateBytesMax,
    );
    this.#phase = phase;
    for (const action of actions) this.#act(action);
  }

  #act(action: SuccessorAction): void {
    switch (action.type) {
      case "send":
        return this.#send(encodeMessage(action.message));
      case "expect":
        return this.#expect(action.length);
      case "store":
        this.#hash.update(action.bytes);
        this.#state!.set(action.bytes, this.#stored);
        this.#stored += action.bytes.byteLength;
        return;
      case "compare": {
        const digest: Uint8Array = this.#hash.digest();
        const equal = digest.every((byte, i) => byte === action.digest[i]);
        return this.#dispatch({ type: "digest", equal });
      }
      case "deliver":
        return this.#delivered.resolve(this.#state);
      case "serve":
        this.#serves = true;
        unref(this.#control);
        return this.#serving.resolve();
      case "fail":
        this.#delivered.reject(action.error);
        this.#serving.reject(action.error);
    }
  }

  #expect(length: number | undefined): void {
    if (length === undefined) return;
    try {
      this.#state = new Uint8Array(length);
    } catch (cause) {
      const error = new HandoffError(
        "handoff/state-too-large",
        `Cannot take over the state: no memory for ${length} bytes: keep bulk data on disk`,
        { cause },
      );
      this.#dispatch({ type: "bad-bytes", error });
    }
  }

  #send(bytes: Uint8Array): void {
    this.#control.write(bytes).catch((cause) => {
      this.#dispatch({ type: "channel-lost", cause });
    });
  }

  async #readAll(): Promise<void> {
    const decoder = new MessageDecoder();
    const buffer = new Uint8Array(READ_BYTES);
    try {
      while (!this.#closed) {
        const count = await this.#control.read(buffer);
        if (count === null) return this.#lost();
        this.#takeBytes(decoder, buffer.subarray(0, count));
      }
    } catch (cause) {
      if (!this.#closed) this.#lost(cause);
    }
  }

  #lost(cause?: unknown): void {
    this.#dispatch({ type: "channel-lost", cause });
    // Its end is that of the predecessor.
    if (this.#serves) this.#onDraining(this.#control, 0);
  }

  #takeBytes(decoder: MessageDecoder, bytes: Uint8Array): void {
    try {
      for (const message of decoder.push(bytes)) {
        if (message.type === "draining" && this.#serves) {
          this.#onDraining(this.#control, message.draining);
        } else this.#dispatch({ type: "message", message });
      }
    } catch (error) {
      if (!(error instanceof HandoffError)) throw error;
      this.#dispatch({ type: "bad-bytes", error });
    }
  }
}
