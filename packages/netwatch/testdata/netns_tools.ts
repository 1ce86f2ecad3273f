import { assertEquals } from "@std/assert";
import { delay } from "@std/async";
import type { NetworkEvent, NetworkWatch } from "../mod.ts";

/** Runs `ip` with the words of a line; says whether it succeeded. */
export async function tryIp(line: string): Promise<boolean> {
  const { success } = await new Deno.Command("ip", {
    args: line.split(" "),
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

/** Runs `ip` with the words of a line, which must succeed. */
export async function ip(line: string): Promise<void> {
  if (!await tryIp(line)) throw new Error(`ip ${line} failed`);
}

/** Runs a shell script and gives what it printed. */
export async function sh(script: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] })
    .output();
  return new TextDecoder().decode(stdout).trim();
}

/** The numbers of the `ip monitor` processes of this very namespace. */
export async function monitors(): Promise<number[]> {
  const found = await sh(`here=$(readlink /proc/self/ns/net)
for p in /proc/[0-9]*; do
  [ "$(readlink $p/ns/net 2>/dev/null)" = "$here" ] || continue
  case "$(tr '\\0' ' ' <$p/cmdline 2>/dev/null)" in
    "ip monitor "*) echo "\${p#/proc/}" ;;
  esac
done`);
  return found.split("\n").filter((line) => line !== "").map(Number);
}

/** Waits until it holds, or fails with the text after three seconds. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: () => string,
): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (await holds()) return;
    await delay(10);
  }
  throw new Error(`Not within 3 s: ${what()}`);
}

/** Two pairs of cables without IPv6 noise: vA0-vB0 and vA1-vB1. */
export async function cables(): Promise<void> {
  await tryIp("link set lo up");
  for (const i of [0, 1]) {
    await ip(`link add vA${i} type veth peer name vB${i}`);
    for (const end of ["A", "B"]) {
      await ip(`link set v${end}${i} addrgenmode none`);
    }
  }
}

/** Another host: a namespace that lives as long as this object. */
export class Neighbour implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Starts it, with the other ends of the cables still here. */
  static async start(): Promise<Neighbour> {
    const child = new Deno.Command("unshare", {
      args: ["-n", "sh", "-c", "ip link set lo up; echo; exec cat"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    return new Neighbour(child);
  }

  /** The process whose namespace it is. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Runs `ip` there. */
  async ip(line: string): Promise<void> {
    await sh(`nsenter -t ${this.pid} -n ip ${line}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#child.stdout.cancel();
    await this.#child.status;
  }
}

/** One line for an event: its kind, its reason, and the value that it is about. */
export function line(event: NetworkEvent): string {
  const value = () => {
    switch (event.type) {
      case "interface-added":
        return event.after.name;
      case "interface-removed":
        return event.before.name;
      case "address-added":
      case "address-changed":
        return `${event.interface} ${event.after.address}/${event.after.prefix}`;
      case "address-removed":
        return `${event.interface} ${event.before.address}/${event.before.prefix}`;
      case "network-changed":
        return `${event.before.hardware}>${event.after.hardware}`;
      case "gateway-changed":
        return `${event.before?.gateway}>${event.after?.gateway}`;
      case "default-interface-changed":
        return `${event.before?.interface}>${event.after?.interface}`;
      case "route-changed":
        return `${event.before.length}>${event.after.length}`;
      case "online":
      case "offline":
        return "";
      case "woke":
      case "clock-step":
      case "stalled":
      case "settled":
      case "degraded":
      case "recovered":
        return "";
      default:
        return event.after.name;
    }
  };
  return `${event.type} ${event.reason} ${value()}`.trim();
}

/** Hears a watch, and checks what one command makes it say. */
export class Ear implements Disposable {
  readonly heard: NetworkEvent[] = [];
  readonly #watch: NetworkWatch;
  readonly #subscription: Disposable;

  constructor(watch: NetworkWatch) {
    this.#watch = watch;
    this.#subscription = watch.on("*", (event) => {
      if (event.type !== "settled") this.heard.push(event);
    });
  }

  /** The changes that follow the command: these, once each, and no other. */
  async expect(command: string, ...lines: readonly string[]): Promise<void> {
    const from = this.heard.length;
    await ip(command);
    const said = () => this.heard.slice(from).map(line);
    await until(
      () => said().length >= lines.length,
      () =>
        `${command}\nexpected ${lines.join("; ")}\nheard ${said().join("; ")}`,
    );
    // Whatever else it would say about this.
    await this.#watch.refresh();
    assertEquals(said().sort(), [...lines].sort(), command);
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }
}
