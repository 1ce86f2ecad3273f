/** Clients of `testdata/durable_adder.ts`, and its processes. */
import { connectResumable, type ResumableConn } from "@holdfast/resume";
import { assert, assertEquals } from "@std/assert";
import { deadline, delay } from "@std/async";

const PROGRAM = new URL("testdata/durable_adder.ts", import.meta.url).pathname;
const STALL_MS = 60_000;

/** A server process on a port that stays the same. */
export class Adder {
  port = 0;
  readonly #place: string;
  #child: Deno.ChildProcess | undefined;

  constructor(place: string) {
    this.#place = place;
  }

  async start(): Promise<void> {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--ignore-env", "--allow-net=127.0.0.1", "--allow-read"],
        ...["--allow-write", PROGRAM, String(this.port), this.#place],
      ],
      stdout: "piped",
    }).spawn();
    const reader = this.#child.stdout.getReader();
    const { value } = await deadline(reader.read(), STALL_MS);
    assert(value !== undefined, "the server ended before it listened");
    this.port = Number(new TextDecoder().decode(value));
    reader.releaseLock();
  }

  /** Sends a signal that does not end it. */
  signal(signal: "SIGCONT" | "SIGSTOP"): void {
    this.#child!.kill(signal);
  }

  async end(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    this.#child!.kill(signal);
    await this.#child!.stdout.cancel();
    await deadline(this.#child!.status, STALL_MS);
  }
}

/** Sends numbers, and checks each sum that comes back: once, and in order. */
export class Talk {
  readonly conn: ResumableConn;
  sent = 0;
  answers = 0;
  #sum = 0;
  #enough = false;
  readonly #work: Promise<unknown>;

  private constructor(conn: ResumableConn) {
    this.conn = conn;
    this.#work = Promise.all([this.#ask(), this.#listen()]);
    this.#work.catch(() => {});
  }

  static async start(port: () => number): Promise<Talk> {
    const dial = () => Deno.connect({ hostname: "127.0.0.1", port: port() });
    // It opens while the fleet is being broken, too.
    for (let tries = 0;; tries++) {
      try {
        return new Talk(
          await connectResumable(dial, {
            redialMaxMs: 50,
            heartbeatMs: 300,
            handshakeTimeoutMs: 1_000,
          }),
        );
      } catch (error) {
        if (tries === 20) throw error;
      }
    }
  }

  async #ask(): Promise<void> {
    while (!this.#enough) {
      const count = 1 + Math.floor(Math.random() * 100);
      const bytes = new Uint8Array(count * 4);
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < count; i++) {
        view.setUint32(i * 4, (this.sent++) % 997);
      }
      for (let at = 0; at < bytes.length;) {
        at += await this.conn.write(bytes.subarray(at));
      }
      while (this.sent - this.answers > 500 && !this.#enough) await delay(2);
    }
    await this.conn.closeWrite();
  }

  async #listen(): Promise<void> {
    const into = new Uint8Array(64 * 1024);
    let held = 0;
    for (let n; (n = await this.conn.read(into.subarray(held))) !== null;) {
      held += n;
      const view = new DataView(into.buffer);
      let at = 0;
      for (; at + 8 <= held; at += 8) {
        this.#sum += this.answers % 997;
        assertEquals(
          view.getFloat64(at),
          this.#sum,
          `answer ${this.answers}`,
        );
        this.answers++;
      }
      into.copyWithin(0, at, held);
      held -= at;
    }
  }

  /** Waits for so many more answers. */
  async progress(more: number): Promise<void> {
    const goal = this.answers + more;
    const going = (async () => {
      while (this.answers < goal) {
        const over = await Promise.race([
          this.#work.then(() => true),
          delay(2).then(() => false),
        ]);
        assert(!over || this.answers >= goal, "it ended early");
      }
    })();
    await deadline(going, STALL_MS);
  }

  /** Ends it; everything that was sent must have been answered. */
  async finish(): Promise<void> {
    this.#enough = true;
    await deadline(this.#work, STALL_MS);
    assertEquals(this.answers, this.sent);
    this.conn.close();
    await deadline(this.conn.closed, STALL_MS);
  }

  /** Ends it at once, if it has not ended. */
  async abort(): Promise<void> {
    this.#enough = true;
    this.conn.abort();
    await this.#work.catch(() => {});
  }
}
