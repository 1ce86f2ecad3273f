import { assert, assertEquals } from "@std/assert";
import { runs, testWith } from "@holdfast/testkit";
import { startLoad } from "./testdata/load.ts";

const here = (name: string): string =>
  new URL(`./testdata/${name}`, import.meta.url).pathname;

/** A server, its successors, and what they print. */
class Servers implements AsyncDisposable {
  readonly pids: number[] = [];
  readonly lines: Record<string, unknown>[] = [];
  port = 0;
  readonly #first: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  #waiters: (() => void)[] = [];

  constructor(kind: string, ...rest: string[]) {
    const flags = kind === "deno"
      ? ["-A"]
      : ["--allow-net", "--allow-run", "--allow-env"];
    this.#first = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-check", ...flags],
        ...[here("restart_server.ts"), kind, "0", ...rest],
      ],
      stdout: "piped",
    }).spawn();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    let text = "";
    const stream = this.#first.stdout.pipeThrough(new TextDecoderStream());
    for await (const part of stream) {
      text += part;
      const whole = text.split("\n");
      text = whole.pop()!;
      for (const one of whole) {
        const line = JSON.parse(one);
        this.lines.push(line);
        if (line.type === "up") {
          this.pids.push(line.pid);
          this.port = line.port;
        }
      }
      for (const wake of this.#waiters.splice(0)) wake();
    }
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  get last(): number {
    return this.pids.at(-1)!;
  }

  async restart(): Promise<void> {
    const count = this.pids.length;
    Deno.kill(this.last, "SIGHUP");
    await this.until(() => this.pids.length > count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.pids) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    await this.#first.status;
    await this.#reading;
  }
}

for (const kind of ["node", "deno"]) {
  testWith({
    name: `${runs(5, 100)} restarts of ${
      kind === "node" ? "node:http, without FFI," : "Deno.serve"
    } under load: 0 refused, 0 reset, 0 cut`,
    needs: kind === "deno" ? ["linux", "sh"] : ["unix", "sh"],
    timeout: 600_000,
    fn: async () => {
      await using servers = new Servers(kind);
      await servers.until(() => servers.port > 0);
      const running = startLoad(() => servers.port, { fresh: 8, kept: 4 });
      for (let i = 0; i < runs(5, 100); i++) {
        await servers.restart();
        const { ok } = running.load;
        // Each generation answers before the next one comes.
        while (running.load.ok < ok + 50) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }
      const { ok, refused, reset, cut, other, pids } = await running.stop();
      assertEquals({ refused, reset, cut, other }, {
        refused: 0,
        reset: 0,
        cut: 0,
        other: [],
      });
      assert(ok > 500, `${ok}`);
      assertEquals(pids.size, runs(5, 100) + 1);
    },
  });
}

testWith({
  name: "a successor that is sick never serves, and the old one goes on",
  needs: ["unix", "sh"],
  timeout: 60_000,
  fn: async () => {
    await using servers = new Servers("node", "sicken");
    await servers.until(() => servers.port > 0);
    const running = startLoad(() => servers.port, { fresh: 4, kept: 2 });
    Deno.kill(servers.last, "SIGHUP");
    const rolledBack = () =>
      servers.lines.find(({ type }) => type === "rolled-back");
    await servers.until(() => rolledBack() !== undefined);
    assertEquals(rolledBack()!.code, "handoff/probe-failed");
    const { ok } = running.load;
    while (running.load.ok < ok + 50) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const load = await running.stop();
    assertEquals([...load.pids], [String(servers.last)]);
    assertEquals([load.refused, load.reset, load.cut, load.other], [
      0,
      0,
      0,
      [],
    ]);
  },
});
