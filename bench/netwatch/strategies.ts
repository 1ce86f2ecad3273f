/**
 * Ways to notice that the gateway is another one, as published programs do it:
 * their rules, re-implemented over the same hints and the same snapshot.
 */
import { readSnapshot } from "@holdfast/netwatch";

/** Tells the gateway whenever a strategy has found it out. */
export type Publish = (gateway: string | undefined) => void;

/** A running strategy. */
export interface Strategy extends AsyncDisposable {
  readonly name: string;
}

/** Calls for every byte of an `ip monitor`: the bare hint. */
export function hints(onHint: () => void): AsyncDisposable {
  const child = new Deno.Command("ip", {
    args: ["monitor", "link", "address", "route", "rule", "nexthop"],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reading = (async () => {
    for await (const _ of child.stdout) onHint();
  })();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await reading;
    },
  };
}

const BATCH = new TextEncoder().encode(
  "addr show\nroute show table all default\nrule show\nroute get 192.31.196.1\n",
);

/** One spawn that reads everything, and as little around it as there can be. */
export async function bareSnapshot(): Promise<string | undefined> {
  const child = new Deno.Command("ip", {
    args: ["-j", "-d", "-force", "-batch", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(BATCH);
  await writer.close();
  const { stdout } = await child.output();
  const last = new TextDecoder().decode(stdout).trim().split("\n").at(-1)!;
  return JSON.parse(last)[0]?.gateway;
}

/** The floor: a hint, one snapshot, again if another hint came meanwhile. */
export function floor(publish: Publish): Strategy {
  let running = false;
  let again = false;
  const look = async (): Promise<void> => {
    if (running) return void (again = true);
    running = true;
    do {
      again = false;
      publish(await bareSnapshot());
    } while (again);
    running = false;
  };
  const source = hints(() => void look());
  return {
    name: "floor",
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

async function gateway(): Promise<string | undefined> {
  return (await readSnapshot()).effective.IPv4?.gateway;
}

/** Looks at once, and then not for a second: Tailscale's rule. */
export function holdASecond(publish: Publish): Strategy {
  let holding = false;
  let pending = false;
  const look = async (): Promise<void> => {
    if (holding) return void (pending = true);
    holding = true;
    pending = false;
    publish(await gateway());
    setTimeout(() => {
      holding = false;
      if (pending) void look();
    }, 1_000);
  };
  const source = hints(() => void look());
  return {
    name: "hold_1s",
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

/** Looks once nothing was heard for so long; each hint begins it anew. */
export function trailing(ms: number, publish: Publish): Strategy {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const source = hints(() => {
    clearTimeout(timer);
    timer = setTimeout(async () => publish(await gateway()), ms);
  });
  return {
    name: `trailing_${ms}ms`,
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      await source[Symbol.asyncDispose]();
    },
  };
}

/** Looks every so often. */
export function polling(ms: number, publish: Publish): Strategy {
  const timer = setInterval(async () => publish(await gateway()), ms);
  return {
    name: `poll_${ms}ms`,
    [Symbol.asyncDispose]() {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}

/** Looks at the routes when `Deno.networkInterfaces()` changes: the naive way. */
export function gatedPolling(ms: number, publish: Publish): Strategy {
  let last = "";
  const timer = setInterval(async () => {
    const rows = JSON.stringify(Deno.networkInterfaces());
    if (rows === last) return;
    last = rows;
    publish(await gateway());
  }, ms);
  return {
    name: "poll_interfaces_1s",
    [Symbol.asyncDispose]() {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}
