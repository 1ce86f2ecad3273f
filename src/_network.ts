/** The watch that a peer follows: the caller's, its own, or none. */
import { type NetworkWatch, watchNetwork } from "@holdfast/netwatch";

/** What a peer has to follow. */
export interface Followed {
  readonly network: NetworkWatch | undefined;
  /** Whether it is to be closed with the peer. */
  readonly own: boolean;
  /** Why there is none, or less than could be. */
  readonly limited: string | undefined;
}

/** What the look at the network needs, by system. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  linux: ["ip"],
  windows: ["powershell", "route"],
};
const OTHER_PROGRAMS = ["netstat", "ifconfig", "route"];

/** Opens one where the caller gave none, as far as the permissions go. */
export async function followNetwork(
  given: NetworkWatch | false | undefined,
  signal: AbortSignal | undefined,
): Promise<Followed> {
  if (given !== undefined) {
    return { network: given || undefined, own: false, limited: undefined };
  }
  const programs = PROGRAMS[Deno.build.os] ?? OTHER_PROGRAMS;
  const wanted: Deno.PermissionDescriptor[] = [
    { name: "sys", kind: "networkInterfaces" },
    ...programs.map((command) => ({ name: "run", command } as const)),
  ];
  // Asked quietly: a peer must not stop before a question that nobody reads.
  const states = await Promise.all(
    wanted.map((one) => Deno.permissions.query(one)),
  );
  const missing = wanted.filter((_, i) => states[i]!.state !== "granted");
  if (missing.length > 0) {
    return {
      ...{ network: undefined, own: false },
      limited:
        `Cannot watch the network: dead paths are found by silence, and new addresses are not told to other peers: run with ${
          missing.map(flagOf).join(" ")
        }, or pass network: false`,
    };
  }
  try {
    const network = await watchNetwork({ signal });
    const [degraded] = network.stats().degraded;
    return { network, own: true, limited: degraded };
  } catch (error) {
    signal?.throwIfAborted();
    return {
      ...{ network: undefined, own: false },
      limited: `Cannot watch the network: ${(error as Error).message}`,
    };
  }
}

function flagOf(wanted: Deno.PermissionDescriptor): string {
  return wanted.name === "sys"
    ? `--allow-sys=${wanted.kind}`
    : `--allow-run=${(wanted as Deno.RunPermissionDescriptor).command}`;
}
