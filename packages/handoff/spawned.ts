import type { ChildProcess } from "node:child_process";
import { Readable } from "node:stream";

// Deno knows a few signals that the types of node:child_process do not.
type NodeSignal = Parameters<ChildProcess["kill"]>[0];

/** How a process ended. */
export interface SpawnedStatus {
  /** Whether it exited with code 0. */
  readonly success: boolean;
  /** Its exit code; `null` when a signal ended it. */
  readonly code: number | null;
  /** The signal that ended it, e.g. `"SIGKILL"`. */
  readonly signal: string | null;
}

/** A two-way channel of bytes between a process and one that it started. */
export interface ControlChannel {
  /** Reads what is there; `null` when the other side has closed. */
  read(p: Uint8Array): Promise<number | null>;
  /** Writes all of `p`; resolves when the kernel has it. */
  write(p: Uint8Array): Promise<number>;
  /** Closes this side; what is pending rejects. */
  close(): void;
}

const children: WeakMap<SpawnedProcess, ChildProcess> = new WeakMap();

/** For this package: the process as node:child_process has it. */
export function childOf(spawned: SpawnedProcess): ChildProcess {
  return children.get(spawned)!;
}

/** A process started by `spawnWithSockets`. */
export class SpawnedProcess implements AsyncDisposable {
  /** Its process id. */
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly status: Promise<SpawnedStatus>;
  /** What it writes, when `stdout` is `"piped"`. */
  readonly stdout: ReadableStream<Uint8Array> | null;
  /** What it writes to its standard error, when `stderr` is `"piped"`. */
  readonly stderr: ReadableStream<Uint8Array> | null;
  /** The control channel, when `control` was asked for. */
  readonly control: ControlChannel | null;
  readonly #child: ChildProcess;
  #ended = false;

  /** Takes over a process that has started; see `spawnWithSockets`. */
  constructor(child: ChildProcess, control: ControlChannel | null) {
    this.#child = child;
    children.set(this, child);
    this.control = control;
    this.pid = child.pid!;
    this.status = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#ended = true;
        resolve({ success: code === 0, code, signal });
      });
    });
    this.stdout = webStream(child.stdout);
    this.stderr = webStream(child.stderr);
  }

  /** Sends a signal; does nothing once the process has ended. */
  kill(signal: Deno.Signal = "SIGTERM"): void {
    if (this.#ended) return;
    if (signal !== "SIGKILL" && tryKill(this.pid, signal)) return;
    this.#child.kill(signal as NodeSignal);
  }

  /** Keeps the event loop alive while the process runs (the default). */
  ref(): void {
    this.#child.ref();
  }

  /** Lets this process end before the other one. */
  unref(): void {
    this.#child.unref();
  }

  /** Sends SIGTERM and waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.status;
  }
}

/**
 * ChildProcess.kill of Deno 2.9 takes for granted that the signal ends the
 * process, and then hides the exit code of one that handles it. Deno.kill does
 * not, and needs --allow-run without a list.
 */
function tryKill(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return false;
    throw error;
  }
}

function webStream(
  stream: Readable | null,
): ReadableStream<Uint8Array> | null {
  return stream === null
    ? null
    : Readable.toWeb(stream) as ReadableStream<Uint8Array>;
}
