/** The running side of an upgrade: carries out what `_predecessor.ts` decides. */
import { createHash } from "node:crypto";
import {
  CHUNK_BYTES,
  encodeHeader,
  encodeHello,
  encodeMessage,
  type Message,
  MessageDecoder,
} from "./_frames.ts";
import {
  type PredecessorAction,
  type PredecessorInput,
  stepPredecessor,
} from "./_predecessor.ts";
import { HandoffError } from "./error.ts";
import type { ControlChannel, SpawnedProcess } from "./spawned.ts";
import type { UpgradePhase } from "./upgrade_event.ts";

const READ_BYTES = 16 * 1024;
/** How long a process that closed its channel has to tell its exit code. */
const ENDING_MS_MAX = 500;

/** What one upgrade needs. */
export interface UpgradeRunOptions {
  /** The successor, with a control channel. */
  readonly successor: SpawnedProcess;
  /** Stops the program and gives its state. */
  freeze(): Promise<Uint8Array | undefined>;
  /** Whether the successor, which is ready, is healthy; throws if not. */
  probe(): Promise<void>;
  /** After the successor serves: it wants the oldest process to end. */
  onHurry(): void;
  /** Tells that the phase changed. */
  onPhase(phase: UpgradePhase): void;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Runs one upgrade to its end. Resolves when the successor serves; rejects with
 * a {@linkcode HandoffError} when it is dead.
 */
export async function runUpgrade(options: UpgradeRunOptions): Promise<void> {
  const run = new UpgradeRun(options);
  const { signal, timeoutMs } = options;
  const onAbort = (): void => {
    run.dispatch({ type: "aborted", cause: signal.reason });
  };
  const timer = setTimeout(() => {
    const cause = new DOMException(
      `The upgrade took more than ${timeoutMs} ms`,
      "TimeoutError",
    );
    run.dispatch({ type: "timed-out", cause });
  }, timeoutMs);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    await run.finished;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

class UpgradeRun {
  readonly finished: Promise<void>;
  readonly #options: UpgradeRunOptions;
  readonly #control: ControlChannel;
  readonly #end: PromiseWithResolvers<void> = Promise.withResolvers();
  #phase: UpgradePhase = "starting";
  #state: Uint8Array | undefined;
  #done = false;

  constructor(options: UpgradeRunOptions) {
    this.#options = options;
    this.#control = options.successor.control!;
    this.finished = this.#end.promise;
    options.successor.status.then(({ code, signal }) => {
      this.dispatch({ type: "exited", how: describeEnd(code, signal) });
    });
    this.#send(encodeHello());
    this.#readAll();
  }

  dispatch(input: PredecessorInput): void {
    const before = this.#phase;
    const { phase, actions } = stepPredecessor(before, input);
    this.#phase = phase;
    if (phase !== before) this.#options.onPhase(phase);
    for (const action of actions) this.#act(action);
  }

  #act(action: PredecessorAction): void {
    switch (action.type) {
      case "freeze":
        void this.#freeze();
        return;
      case "send-state":
        void this.#sendState();
        return;
      case "probe":
        void this.#probe();
        return;
      case "send-go":
        this.#send(encodeMessage({ type: "go" }), { type: "go-sent" });
        return;
      case "finish":
        this.#done = true;
        unref(this.#control);
        this.#end.resolve();
        return;
      case "roll-back":
        void this.#rollBack(action);
    }
  }

  async #probe(): Promise<void> {
    try {
      await this.#options.probe();
    } catch (cause) {
      return this.dispatch({ type: "probe-failed", cause });
    }
    if (this.#phase === "probing") this.dispatch({ type: "probed" });
  }

  async #freeze(): Promise<void> {
    try {
      this.#state = await this.#options.freeze();
    } catch (cause) {
      return this.dispatch({ type: "freeze-failed", cause });
    }
    // A state that comes after the end must not stir the machine.
    if (this.#phase === "freezing") this.dispatch({ type: "frozen" });
  }

  async #sendState(): Promise<void> {
    const state = this.#state;
    const length = state?.byteLength;
    const hash = createHash("sha256");
    try {
      await this.#control.write(encodeMessage({ type: "state", length }));
      for (let offset = 0; offset < (length ?? 0); offset += CHUNK_BYTES) {
        const chunk = state!.subarray(offset, offset + CHUNK_BYTES);
        hash.update(chunk);
        await this.#control.write(encodeHeader("chunk", chunk.byteLength));
        await this.#control.write(chunk);
      }
    } catch (cause) {
      return this.dispatch({ type: "channel-lost", cause });
    }
    if (this.#phase !== "sending") return;
    this.#send(encodeMessage({ type: "end", digest: hash.digest() }));
    // At once: the answer may overtake the news that the bytes are gone.
    this.dispatch({ type: "sent" });
  }

  #send(bytes: Uint8Array, then?: PredecessorInput): void {
    this.#control.write(bytes).then(
      () => then && this.dispatch(then),
      (cause) => this.dispatch({ type: "channel-lost", cause }),
    );
  }

  async #readAll(): Promise<void> {
    const decoder = new MessageDecoder();
    const buffer = new Uint8Array(READ_BYTES);
    try {
      while (true) {
        const count = await this.#control.read(buffer);
        if (count === null) return this.dispatch({ type: "channel-lost" });
        this.#takeBytes(decoder, buffer.subarray(0, count));
      }
    } catch (cause) {
      this.dispatch({ type: "channel-lost", cause });
    }
  }

  #takeBytes(decoder: MessageDecoder, bytes: Uint8Array): void {
    let messages: Message[];
    try {
      messages = decoder.push(bytes);
    } catch (cause) {
      return this.dispatch({ type: "bad-bytes", cause });
    }
    for (const message of messages) {
      if (message.type === "hurry" && this.#done) this.#options.onHurry();
      else if (message.type === "prepared" || message.type === "ready") {
        this.dispatch({ type: message.type });
      } else if (message.type === "failed") {
        this.dispatch({ type: "refused", reason: message.reason });
      } else {
        const cause = new RangeError(
          `a successor may not send ${message.type}`,
        );
        this.dispatch({ type: "bad-bytes", cause });
      }
    }
  }

  /** Waits for a process that is about to exit, so that its code is known. */
  async #letEnd(): Promise<void> {
    const waited = Promise.withResolvers<void>();
    const timer = setTimeout(waited.resolve, ENDING_MS_MAX);
    await Promise.race([this.#options.successor.status, waited.promise]);
    clearTimeout(timer);
  }

  async #rollBack(
    action: PredecessorAction & { readonly type: "roll-back" },
  ): Promise<void> {
    const { successor } = this.#options;
    if (action.ending) await this.#letEnd();
    // Dead first, then deaf: a successor that hears the channel close while
    // it lives may think that it is alone, and serve.
    successor.kill("SIGKILL");
    const { code } = await successor.status;
    this.#control.close();
    const { frozen, cause } = action;
    const exit = code === null || action.why.includes("exit code")
      ? ""
      : `, exit code ${code}`;
    this.#end.reject(
      new HandoffError(
        action.code,
        `Cannot upgrade: the successor failed: ${action.why}${exit}: this process serves on; mend the successor and try again`,
        { frozen, cause },
      ),
    );
  }
}

/** A process that finishes its work must not wait for its successor's end. */
export function unref(control: ControlChannel): void {
  (control as { unref?(): void }).unref?.();
}

function describeEnd(code: number | null, signal: string | null): string {
  return code === null ? String(signal) : `exit code ${code}`;
}
