import { ROUTE_MONITOR_ARGS, RouteHints } from "./_route_monitor.ts";
import { explain } from "./_run.ts";

/** What changes are heard of; `nexthop` alone tells that a route lost its hop. */
const MONITOR_ARGS = [
  "monitor",
  "link",
  "address",
  "route",
  "rule",
  "nexthop",
];

/**
 * Runs the monitor under a shell that ends it when our end of the pipe closes:
 * by itself it would outlive a killed program until the next change. The shell
 * lets go of the output, so that its end is the monitor's end, and ignores
 * Ctrl-C, which must not part the two. A line tells it that the monitor is
 * gone, so that it kills nobody who got the number meanwhile.
 */
function script(sensor: Sensor): string {
  return `trap '' INT
${sensor.command} ${sensor.args.join(" ")} & p=$!
exec >/dev/null 2>&1
read -r _ || kill -9 $p`;
}

/** A program that says something whenever the network changes. */
export interface Sensor {
  readonly command: string;
  readonly args: readonly string[];
  /** Tells, of what comes in pieces, which is a reason to look; a new one each. */
  readonly filter: () => (text: string) => boolean;
}

/** Of Linux: whatever it says is a reason to look. */
export const IP_MONITOR: Sensor = {
  command: "ip",
  args: MONITOR_ARGS,
  filter: () => () => true,
};

/** Of macOS and the BSDs: some of what it says is a reason to look. */
export const ROUTE_MONITOR: Sensor = {
  command: "route",
  args: ROUTE_MONITOR_ARGS,
  filter() {
    const hints = new RouteHints();
    return (text) => hints.feed(text);
  },
};

/** How long the monitor may take to end before it is killed. */
const STOP_MS_MAX = 1_000;

/** What the monitor tells its owner. */
export interface MonitorListener {
  /** Something changed, or something was missed. */
  onHint(kind: "change" | "overflow"): void;
  /** It ended by itself; `final` when another try cannot help. */
  onEnd(reason: string, final: boolean): void;
}

/** A running monitor. */
export interface Monitor {
  /** Ends it, and resolves when it is gone. `onEnd` is not called then. */
  stop(): Promise<void>;
  /** Lets the program end while it runs. */
  unref(): void;
  /** Takes `unref()` back. */
  ref(): void;
}

/**
 * Starts `ip monitor`, whose every byte means "look again". Its text is never
 * parsed: `-j` is ignored by it, and the kernel leaves things out (it sends no
 * word of the IPv4 routes that go with an interface).
 *
 * `undefined` when it could not be started; `onEnd` has been told.
 */
export function startMonitor(
  sensor: Sensor,
  listener: MonitorListener,
): Monitor | undefined {
  const wrapped = mayRunShell();
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(wrapped ? "sh" : sensor.command, {
      args: wrapped ? ["-c", script(sensor)] : [...sensor.args],
      stdin: wrapped ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    const { message, why } = explain(nameOf(sensor), error);
    listener.onEnd(
      why === "not-permitted"
        ? `Deno may not run ${
          nameOf(sensor)
        }: add --allow-run=${sensor.command}`
        : message,
      why !== "failed",
    );
    return undefined;
  }
  return new Running(child, wrapped, listener, sensor);
}

function nameOf({ command }: Sensor): string {
  return `${command} monitor`;
}

/** Asked, not tried: a program that grants only `ip` is not to be prompted. */
function mayRunShell(): boolean {
  const { state } = Deno.permissions.querySync({ name: "run", command: "sh" });
  return state === "granted";
}

class Running implements Monitor {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array> | undefined;
  readonly #readers: readonly ReadableStreamDefaultReader<Uint8Array>[];
  readonly #ended: Promise<void>;
  #stopping: Promise<void> | undefined;

  constructor(
    child: Deno.ChildProcess,
    wrapped: boolean,
    listener: MonitorListener,
    sensor: Sensor,
  ) {
    this.#child = child;
    this.#stdin = wrapped ? child.stdin.getWriter() : undefined;
    this.#readers = [child.stdout.getReader(), child.stderr.getReader()];
    this.#ended = this.#listen(listener, sensor);
  }

  async #listen(listener: MonitorListener, sensor: Sensor): Promise<void> {
    const [stdout, stderr] = this.#readers;
    const decoder = new TextDecoder();
    let complaint = "";
    const isReason = sensor.filter();
    const words = new TextDecoder();
    await Promise.all([
      drain(stdout!, (bytes) => {
        if (this.#stopping !== undefined) return;
        const text = words.decode(bytes, { stream: true });
        if (isReason(text)) listener.onHint("change");
      }),
      drain(stderr!, (bytes) => {
        complaint = decoder.decode(bytes).trim().slice(0, 200);
        if (this.#stopping === undefined) listener.onHint("overflow");
      }),
    ]);
    // Both pipes are at their end, so the monitor is: tell the shell.
    if (this.#stopping === undefined) await this.#closeStdin("\n");
    await this.#child.status;
    if (this.#stopping !== undefined) return;
    const missing = /: (command )?not found/.test(complaint);
    const why = complaint === "" ? "" : ` (${complaint.replace(/\s+/g, " ")})`;
    listener.onEnd(`${nameOf(sensor)} ended${why}`, missing);
  }

  unref(): void {
    this.#child.unref();
  }

  ref(): void {
    this.#child.ref();
  }

  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    // Until here it runs at once, before #stopping is set.
    await Promise.resolve();
    if (this.#stdin === undefined) this.#kill();
    else await this.#closeStdin("");
    // Someone may have stopped the shell (SIGSTOP): closing must not hang.
    const timer = setTimeout(() => {
      this.#kill();
      for (const reader of this.#readers) reader.cancel().catch(() => {});
    }, STOP_MS_MAX);
    await this.#ended;
    clearTimeout(timer);
  }

  async #closeStdin(last: string): Promise<void> {
    try {
      if (last !== "") await this.#stdin?.write(new TextEncoder().encode(last));
      await this.#stdin?.close();
    } catch {
      // Closed before, or the other end is gone: either way it is over.
    }
  }

  #kill(): void {
    try {
      // Not SIGTERM: a stopped process would keep it for later.
      this.#child.kill("SIGKILL");
    } catch {
      // It is gone already.
    }
  }
}

async function drain(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  onBytes: (bytes: Uint8Array) => void,
): Promise<void> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onBytes(value);
  }
}
