/**
 * A real Redis on loopback, which a test kills, starts again, stops and fills.
 *
 * @module
 */
import { deadline } from "@std/async";

const STALL_MS = 30_000;

/** See the module's comment. */
export class RedisServer implements AsyncDisposable {
  readonly #folder: string;
  #child: Deno.ChildProcess | undefined;
  #port = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts one with an empty folder of its own. */
  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await Deno.makeTempDir());
    await server.restart();
    return server;
  }

  /** Its address, as `redisStore` takes it. */
  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** Its port on 127.0.0.1; the same after a restart. */
  get port(): number {
    return this.#port;
  }

  /** Starts it with what it had written, at the same port. */
  async restart(): Promise<void> {
    for (let attempt = 0;; attempt++) {
      if (this.#port === 0 || attempt > 0) {
        using probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
        this.#port = probe.addr.port;
      }
      this.#child = new Deno.Command("redis-server", {
        args: [
          ...["--port", String(this.#port), "--bind", "127.0.0.1"],
          ...["--dir", this.#folder, "--save", "", "--appendonly", "yes"],
          ...["--appendfsync", "everysec", "--maxmemory-policy", "noeviction"],
        ],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      if (await this.#answers()) return;
      // Somebody took the port in between.
      if (attempt === 5) throw new Error("redis-server does not start");
    }
  }

  async #answers(): Promise<boolean> {
    let over = false;
    void this.#child!.status.then(() => over = true);
    const until = Date.now() + STALL_MS;
    while (!over && Date.now() < until) {
      const said = await this.command("PING").catch(() => "");
      if (said.startsWith("+PONG")) return true;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return false;
  }

  /** Sends a command over a connection of its own; gives the bare answer. */
  async command(...words: string[]): Promise<string> {
    using conn = await Deno.connect({
      hostname: "127.0.0.1",
      port: this.#port,
    });
    const bulk = words.map((word) => `$${word.length}\r\n${word}\r\n`);
    const text = `*${words.length}\r\n${bulk.join("")}`;
    await conn.write(new TextEncoder().encode(text));
    const into = new Uint8Array(64 * 1024);
    const n = await deadline(conn.read(into), STALL_MS);
    return new TextDecoder().decode(into.subarray(0, n ?? 0));
  }

  /** Freezes it: connections stay, and nothing is answered. */
  freeze(): void {
    this.#child!.kill("SIGSTOP");
  }

  /** Lets it go on. */
  thaw(): void {
    this.#child!.kill("SIGCONT");
  }

  /** Kills it (`SIGKILL`). */
  async kill(): Promise<void> {
    this.#child!.kill("SIGKILL");
    await this.#child!.status;
  }

  /** Kills it, and removes its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill().catch(() => {});
    await Deno.remove(this.#folder, { recursive: true });
  }
}
