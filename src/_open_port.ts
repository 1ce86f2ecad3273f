/** Opens the port in the firewall; whatever fails, the rest goes on without. */
import type { Limitation } from "./peer_events.ts";
import type { OpenPort, PortLease } from "./peer_options.ts";

/** The lease, or a limitation that says why there is none. */
export async function openPort(
  options: {
    readonly openPort?: OpenPort | undefined;
    readonly signal?: AbortSignal | undefined;
  },
  addr: Deno.Addr | undefined,
  limited: Limitation[],
): Promise<PortLease | undefined> {
  if (options.openPort === undefined) return undefined;
  const say = (why: string): void => {
    limited.push({
      part: "firewall",
      reason: `Cannot open a port in the firewall: ${why}`,
    });
  };
  if (addr === undefined || !("port" in addr)) {
    return void say("nobody listens on one: give a port to listen on");
  }
  try {
    return await options.openPort({ port: addr.port, protocol: "tcp" });
  } catch (error) {
    options.signal?.throwIfAborted();
    return void say((error as Error).message);
  }
}
