import { assert, assertEquals, assertRejects } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { HandoffError } from "./error.ts";
import { countFds, countFdsAtMost } from "./testdata/fds.ts";
import { openUpgrader } from "./upgrader.ts";
import type { ServerPlan } from "./testdata/server.ts";
import type { UpgradeEvent } from "./upgrade_event.ts";

const SERVER = new URL("./testdata/server.ts", import.meta.url).pathname;

/** What a server prints when it serves. */
interface Serving {
  readonly pid: number;
  readonly port: number;
  readonly bytes: number | null;
  readonly digest: string | null;
}

/**
 * A server and all its successors, which write to the one pipe that the first
 * was given. Disposing waits for its end: then none of them is left.
 */
class Lineage implements AsyncDisposable {
  readonly #lines: ReadableStreamDefaultReader<Uint8Array>;
  readonly #first: Deno.ChildProcess;
  #rest = "";
  port = 0;

  constructor() {
    this.#first = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", SERVER],
      stdout: "piped",
    }).spawn();
    this.#lines = this.#first.stdout.getReader();
  }

  /** The next process that serves. */
  async serving(): Promise<Serving> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("all servers are gone");
      this.#rest += new TextDecoder().decode(value);
    }
    const [line, ...rest] = this.#rest.split("\n");
    this.#rest = rest.join("\n");
    const serving: Serving = JSON.parse(line!);
    this.port = serving.port;
    return serving;
  }

  /** One request on a connection of its own; throws on any network error. */
  async ask(line: string): Promise<string> {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    await conn.write(new TextEncoder().encode(line + "\n"));
    const buffer = new Uint8Array(4096);
    const count = await conn.read(buffer);
    if (count === null) throw new Error(`no answer to ${line}`);
    return new TextDecoder().decode(buffer.subarray(0, count));
  }

  // deno-lint-ignore no-explicit-any
  async upgrade(plan: ServerPlan): Promise<any> {
    return JSON.parse(await this.ask(`upgrade ${JSON.stringify(plan)}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ask("stop").catch(() => this.#first.kill("SIGKILL"));
    while (!(await this.#lines.read()).done);
    await this.#first.status;
  }
}

testWith({
  name: "five upgrades under load refuse, reset and lose nobody",
  needs: ["sh"],
  timeout: 30_000,
  fn: async () => {
    await using lineage = new Lineage();
    const pids = [(await lineage.serving()).pid];
    let running = true, answered = 0;
    const errors: unknown[] = [];
    const answeredBy = new Set<number>();
    const clients = Array.from({ length: 4 }, async () => {
      while (running) {
        try {
          answeredBy.add(Number(await lineage.ask("who")));
          answered++;
        } catch (error) {
          errors.push(error);
        }
      }
    });
    for (let i = 0; i < 5; i++) {
      const { pid } = await lineage.upgrade({ stateBytes: 10 });
      const serving = await lineage.serving();
      assertEquals(serving.pid, pid);
      pids.push(pid);
      await lineage.ask("who");
    }
    running = false;
    await Promise.all(clients);
    assertEquals(errors, []);
    assertEquals(new Set(pids).size, 6);
    assertEquals([...answeredBy].filter((pid) => !pids.includes(pid)), []);
    assert(answered > 50, `only ${answered} requests`);
  },
});

/** A request that came while the state was frozen, so that nobody answers yet. */
async function askWhileFrozen(
  lineage: Lineage,
): Promise<{ answer: Promise<string> }> {
  while (true) {
    const answer = lineage.ask("who");
    const first = await Promise.race([
      answer,
      new Promise<string>((resolve) => setTimeout(resolve, 100, "waiting")),
    ]);
    if (first === "waiting") return { answer };
  }
}

testWith({
  name: "who connects during the switch waits, and is served by the successor",
  needs: ["sh"],
  timeout: 20_000,
  fn: async () => {
    await using lineage = new Lineage();
    await lineage.serving();
    const upgrading = lineage.upgrade({ freezeMs: 500 });
    const { answer } = await askWhileFrozen(lineage);
    const { pid } = await upgrading;
    assertEquals(await answer, String(pid));
    assertEquals((await lineage.serving()).pid, pid);
  },
});

testWith({
  name: "who connects during a switch that fails is served by the old process",
  needs: ["sh"],
  timeout: 20_000,
  fn: async () => {
    await using lineage = new Lineage();
    const first = await lineage.serving();
    const upgrading = lineage.upgrade({ freezeMs: 1200, timeoutMs: 800 });
    const { answer } = await askWhileFrozen(lineage);
    const { code, frozen, thawed } = await upgrading;
    assertEquals([code, frozen, thawed], ["handoff/freeze-failed", true, 1]);
    assertEquals(await answer, String(first.pid));
  },
});

testWith({
  name:
    "a successor that fails is gone, at whatever step, and the old one serves on",
  needs: ["sh"],
  timeout: 30_000,
  fn: async () => {
    await using lineage = new Lineage();
    const { pid } = await lineage.serving();
    const cases: [ServerPlan, string, boolean, string][] = [
      [{ fail: "early" }, "handoff/not-prepared", false, "exit code 3"],
      [{ fail: "late" }, "handoff/not-ready", true, "exit code 4"],
      [{ fail: "garbage" }, "handoff/not-prepared", false, "protocol"],
      [
        { fail: "never-ready", timeoutMs: 1500 },
        "handoff/not-ready",
        true,
        "too long",
      ],
    ];
    let froze = 0;
    for (const [plan, code, frozen, words] of cases) {
      const result = await lineage.upgrade({ ...plan, stateBytes: 100_000 });
      if (frozen) froze++;
      assertEquals(
        { ...result, message: "" },
        { code, message: "", frozen, froze, thawed: froze },
      );
      assert(result.message.includes(words), result.message);
      assertEquals(await lineage.ask("who"), String(pid));
    }
    // And then one that works.
    const { pid: next } = await lineage.upgrade({});
    assertEquals((await lineage.serving()).pid, next);
    assertEquals(await lineage.ask("who"), String(next));
  },
});

testWith({
  name:
    "32 MiB of state arrive byte for byte, and the successor outlives kill -9 of the old",
  needs: ["sh"],
  timeout: 30_000,
  fn: async () => {
    await using lineage = new Lineage();
    const first = await lineage.serving();
    const stateBytes = 32 * 1024 * 1024;
    const result = await lineage.upgrade({ stateBytes, linger: true });
    const second = await lineage.serving();
    assertEquals(second.bytes, stateBytes);
    assertEquals(second.digest, result.digest);
    Deno.kill(first.pid, "SIGKILL");
    for (let i = 0; i < 5; i++) {
      assertEquals(await lineage.ask("who"), String(second.pid));
    }
  },
});

// Successors in shell, for speed: PREPARED, READY and READY out of turn.
const HELLO = "printf 'HFH\\001' >&$HOLDFAST_CONTROL_FD;";
const PREPARED = "printf '\\001\\000\\000\\000\\000' >&$HOLDFAST_CONTROL_FD;";
const READY = "printf '\\005\\000\\000\\000\\000' >&$HOLDFAST_CONTROL_FD;";
const FAILED =
  "printf '\\007\\000\\000\\000\\003no!' >&$HOLDFAST_CONTROL_FD; sleep 9;";

testWith({
  name: "twenty failed upgrades leak no descriptor and tell what happened",
  needs: ["sh"],
  timeout: 30_000,
  fn: async () => {
    await using upgrader = await openUpgrader();
    const web = await upgrader.listen("web", { port: 0 });
    await upgrader.ready();
    const events: UpgradeEvent[] = [];
    using _all = upgrader.on("*", (event) => events.push(event));
    const scripts: [string, string][] = [
      ["exit 3", "handoff/not-prepared"],
      [HELLO + "exit 3", "handoff/not-prepared"],
      [HELLO + FAILED, "handoff/not-prepared"],
      [HELLO + READY + "sleep 9", "handoff/not-prepared"],
      // It has the head of the state, and goes before the rest fits into the pipe.
      [
        HELLO + PREPARED + "head -c 18 <&$HOLDFAST_CONTROL_FD >/dev/null;" +
        "exit 4",
        "handoff/transfer-failed",
      ],
    ];
    let before = 0;
    for (let i = 0; i < 21; i++) {
      const [script, code] = scripts[i % scripts.length]!;
      const error = await assertRejects(
        () =>
          upgrader.upgrade({
            command: "sh",
            args: ["-c", script],
            state: () => new Uint8Array(4 * 1024 * 1024),
          }),
        HandoffError,
      );
      assertEquals(error.code, code, script);
      assertEquals(upgrader.state, { phase: "serving" });
      assertEquals(web.paused, false);
      if (i === 0) before = await countFds();
    }
    const after = await countFdsAtMost(before);
    assert(after <= before, `${before} descriptors became ${after}`);
    const count = (type: string): number =>
      events.filter((event) => event.type === type).length;
    assertEquals([count("started"), count("rolled-back")], [21, 21]);
    assertEquals(count("frozen"), 4);
    // It works after all that.
    const accepted = web.accept();
    const { hostname, port } = web.addr;
    using _client = await Deno.connect({ hostname, port });
    (await accepted).close();
  },
});

testWith({
  name: "a successor without this package can speak the protocol of the README",
  needs: ["sh"],
  timeout: 20_000,
  fn: async () => {
    await using upgrader = await openUpgrader();
    await upgrader.listen("web", { port: 0 });
    await upgrader.ready();
    const events: string[] = [];
    using _all = upgrader.on("*", ({ type }) => events.push(type));
    const successor = await upgrader.upgrade({
      command: "sh",
      // Hello, "state" with none, "end" of nothing: 4 + 14 + 37 bytes; "go": 5.
      args: [
        "-c",
        HELLO + PREPARED +
        "head -c 55 <&$HOLDFAST_CONTROL_FD >/dev/null;" + READY +
        "head -c 5 <&$HOLDFAST_CONTROL_FD | od -An -tu1",
      ],
      stdout: "piped",
    });
    assertEquals(events, ["started", "prepared", "frozen", "superseded"]);
    assertEquals(upgrader.state, {
      phase: "superseded",
      pid: successor.pid,
    });
    const go = await new Response(
      successor.stdout as ReadableStream<Uint8Array<ArrayBuffer>>,
    ).text();
    assertEquals(go.trim().split(/\s+/), ["6", "0", "0", "0", "0"]);
    // An upgrade lets go of its successor.
    successor.ref();
    assertEquals((await successor.status).code, 0);
    const error = await assertRejects(
      () => upgrader.upgrade({ command: "true" }),
      HandoffError,
      "superseded",
    );
    assertEquals(error.code, "handoff/wrong-phase");
  },
});

testWith({
  name:
    "upgrade() refuses what makes no sense, and obeys its signal and close()",
  needs: ["sh"],
  timeout: 20_000,
  fn: async () => {
    const upgrader = await openUpgrader({ stateBytesMax: 10 });
    await assertRejects(
      () => upgrader.upgrade({ command: "true" }),
      HandoffError,
      "call ready() first",
    );
    await upgrader.ready();
    await upgrader.ready();
    await assertRejects(
      () => upgrader.upgrade({ command: "true", timeoutMs: -1 }),
      RangeError,
      "-1",
    );
    const sleeping = { command: "sleep", args: ["60"] };
    const abort = new AbortController();
    const aborted = upgrader.upgrade({ ...sleeping, signal: abort.signal });
    await assertRejects(
      () => upgrader.upgrade(sleeping),
      HandoffError,
      "wait for the upgrade under way",
    );
    abort.abort(new Error("changed my mind"));
    await assertRejects(() => aborted, Error, "changed my mind");
    const large = await assertRejects(
      () =>
        upgrader.upgrade({
          command: "sh",
          args: ["-c", HELLO + PREPARED + "sleep 9"],
          state: () => new Uint8Array(11),
        }),
      HandoffError,
    );
    assertEquals(large.code, "handoff/freeze-failed");
    assertEquals(
      (large.cause as HandoffError).code,
      "handoff/state-too-large",
    );
    const timedOut = await assertRejects(
      () => upgrader.upgrade({ ...sleeping, timeoutMs: 50 }),
      HandoffError,
    );
    assertEquals((timedOut.cause as Error).name, "TimeoutError");
    const closed = upgrader.upgrade(sleeping);
    const closing = upgrader.close();
    await assertRejects(() => closed, DOMException, "closed");
    await closing;
    await upgrader.close();
    assertEquals(upgrader.state, { phase: "closed" });
  },
});
