/** One rival through one move of the lab: what it loses, and how long it stops. */
import { delay } from "@std/async/delay";
import type { Host, PeerLab } from "@holdfast/testkit/peer-lab";
import { type Line, readLines } from "../../demos/main/lines.ts";

const END = new URL("./end.ts", import.meta.url).pathname;
const SOON_MS = 15_000;

/** Who is compared. */
export type Rival = "loop" | "mptcp" | "plain" | "socketio";

/** What became of it. */
export interface RivalResult {
  readonly sent: number;
  readonly lost: number;
  readonly doubled: number;
  readonly pauseMs: number;
  /** Whether anything got through after the move. */
  readonly goesOn: boolean;
}

class End {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<Line>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;

  constructor(lab: PeerLab, host: Host, rival: Rival, args: string[]) {
    const kind = rival === "mptcp" ? "plain" : rival;
    const wrapper = rival === "mptcp" ? ["mptcpize", "run"] : [];
    const [command, ...rest] = lab.inside(host, [
      ...[...wrapper, Deno.execPath(), "run", "--no-check", "--no-prompt"],
      ...["-A", END, kind, ...args],
    ]);
    this.#child = new Deno.Command(command!, {
      args: rest,
      ...{ stdin: "piped", stdout: "piped", stderr: "null" },
    }).spawn();
    this.#lines = readLines(this.#child.stdout);
    this.#input = this.#child.stdin.getWriter();
  }

  tell(line: Line): Promise<void> {
    const text = JSON.stringify(line) + "\n";
    return this.#input.write(new TextEncoder().encode(text)).catch(() => {});
  }

  async hears(type: string): Promise<Line> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`It ended before it said ${type}`);
      if (value.type === type) return value;
    }
  }

  async end(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
  }
}

/** Both hosts, or only the client, go elsewhere at once in mid-transfer. */
export async function rivalMoves(
  lab: PeerLab,
  rival: Rival,
  both: boolean,
): Promise<RivalResult> {
  if (rival === "mptcp") await allowSubflows(lab);
  const server = new End(lab, "b", rival, ["server"]);
  await delay(rival === "socketio" ? 2_500 : 1_500);
  const client = new End(lab, "a", rival, ["client", lab.address("b")]);
  try {
    await client.hears("connected");
    await delay(1_500);
    const [a, b] = [lab.place("a"), lab.place("b")];
    await Promise.all([
      lab.move("a", { link: a.link === 0 ? 1 : 0, last: a.last }),
      ...(both
        ? [lab.move("b", { link: b.link === 0 ? 1 : 0, last: b.last })]
        : []),
    ]);
    // What no real program is told by itself.
    await client.tell({ type: "peer-at", hostname: lab.address("b") });
    if (rival === "mptcp") await addEndpoints(lab);
    await delay(SOON_MS);
    for (const end of [client, server]) await end.tell({ type: "stop" });
    await delay(2_000);
    for (const end of [client, server]) await end.tell({ type: "report" });
    const [there, here] = await Promise.all([
      client.hears("report"),
      server.hears("report"),
    ]);
    const pauseMs = Math.max(there.longestGapMs, here.longestGapMs);
    return {
      sent: there.sent + here.sent,
      lost: there.sent - here.received + here.sent - there.received,
      doubled: there.doubled + here.doubled,
      pauseMs: Math.round(pauseMs),
      goesOn: pauseMs < SOON_MS,
    };
  } finally {
    await client.end();
    await server.end();
  }
}

/** As its documentation advises: more than one subflow, and addresses taken. */
async function allowSubflows(lab: PeerLab): Promise<void> {
  for (const host of ["a", "b"] as const) {
    await lab.sh(host, "ip mptcp limits set subflow 4 add_addr_accepted 4");
  }
}

async function addEndpoints(lab: PeerLab): Promise<void> {
  await lab.sh(
    "a",
    `ip mptcp endpoint add ${lab.address("a")} subflow fullmesh`,
  );
  await lab.sh("b", `ip mptcp endpoint add ${lab.address("b")} signal`);
}

/** Why there is no MPTCP here; `undefined` where there is. */
export async function noMptcp(): Promise<string | undefined> {
  try {
    await Deno.readTextFile("/proc/sys/net/mptcp/enabled");
  } catch {
    return "the kernel has no MPTCP";
  }
  try {
    await new Deno.Command("mptcpize", { args: ["help"] }).output();
    return undefined;
  } catch {
    return "mptcpize is not installed";
  }
}
