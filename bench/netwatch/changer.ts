/** Makes changes of the network, each at once and at a known time. */

/** One `ip -batch` that does each line as it comes. */
export class Changer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;

  constructor() {
    this.#child = new Deno.Command("ip", {
      args: ["-force", "-batch", "-"],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
  }

  /** Does it, and tells when, on the clock of `performance.now()`. */
  async change(line: string): Promise<number> {
    const at = performance.now();
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    return at;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#child.status;
  }
}

/** Runs `ip` with the words of a line. */
export async function ip(line: string): Promise<void> {
  const { success } = await new Deno.Command("ip", { args: line.split(" ") })
    .output();
  if (!success) throw new Error(`ip ${line} failed`);
}

/** An interface with a default route, in a namespace of its own. */
export async function prepare(): Promise<void> {
  await ip("link set lo up");
  await ip("link add vA type veth peer name vB");
  await ip("addr add 10.77.0.2/24 dev vA");
  await ip("link set vA up");
  await ip("link set vB up");
  await ip("route add default via 10.77.0.1");
}

/** A line that changes the gateway, another one for each number. */
export function gatewayLine(n: number): string {
  return `route replace default via 10.77.0.${3 + n % 200}`;
}

/** The gateway that such a line sets. */
export function gatewayOf(n: number): string {
  return `10.77.0.${3 + n % 200}`;
}
