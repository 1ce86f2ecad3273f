/**
 * A network of the programs' own, where they may have a firewall: a Linux user
 * and network namespace, which an ordinary user may make on most systems.
 */
const TABLE = "inet holdfast_demo";

/** See the module's comment. */
export class Namespace implements AsyncDisposable {
  /** Runs the rest of its arguments in there. */
  readonly inside: readonly string[];
  readonly #keeper: Deno.ChildProcess;

  private constructor(keeper: Deno.ChildProcess) {
    this.#keeper = keeper;
    this.inside = [
      "nsenter",
      ...["-t", String(keeper.pid), "-U", "-n", "--preserve-credentials"],
    ];
  }

  /** Makes one; says why not, where that is not possible. */
  static async open(): Promise<Namespace | string> {
    let keeper: Deno.ChildProcess;
    try {
      keeper = new Deno.Command("unshare", {
        // It ends with its standard input, and so with this program.
        args: ["-Urn", "sh", "-c", "ip link set lo up && echo up && exec cat"],
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
    } catch {
      return "there is no program unshare";
    }
    const reader = keeper.stdout.getReader();
    const { done } = await reader.read();
    reader.releaseLock();
    await keeper.stdout.cancel();
    const namespace = new Namespace(keeper);
    const trouble = done
      ? "this system lets no user make network namespaces"
      : await namespace.#tryFirewall();
    if (trouble === undefined) return namespace;
    await namespace[Symbol.asyncDispose]();
    return trouble;
  }

  async #tryFirewall(): Promise<string | undefined> {
    try {
      await this.#nft(["list", "ruleset"]);
      return undefined;
    } catch (error) {
      return `nft cannot be used (${(error as Error).message})`;
    }
  }

  /** Drops every packet to that TCP port. */
  async block(port: number): Promise<void> {
    await this.#nft([
      `add table ${TABLE}; add chain ${TABLE} input ` +
      "{ type filter hook input priority 0; policy accept; }; " +
      `add rule ${TABLE} input tcp dport ${port} counter drop`,
    ]);
  }

  /** How many packets {@linkcode block} has dropped so far. */
  async dropped(): Promise<number> {
    const text = await this.#nft(["list", "table", ...TABLE.split(" ")]);
    return Number(/counter packets (\d+)/.exec(text)?.[1] ?? 0);
  }

  /** Takes the rule away. */
  async unblock(): Promise<void> {
    await this.#nft(["delete", "table", ...TABLE.split(" ")]);
  }

  async #nft(args: string[]): Promise<string> {
    const [command, ...before] = this.inside;
    const { success, stdout, stderr } = await new Deno.Command(command!, {
      args: [...before, "nft", ...args],
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    if (success) return decoder.decode(stdout);
    throw new Error(decoder.decode(stderr).trim().split("\n")[0]);
  }

  /** Ends it; what still runs in there keeps it alive. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#keeper.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#keeper.status;
    await this.#keeper.stdin.close().catch(() => {});
  }
}
