import type { Asked } from "./_request.ts";
import type { Ran, Runner } from "./runner.ts";

/** As many as a person reads. */
const FLOWS_MAX = 20;

/** Connections that go on although no new one is let in; none if unknown. */
export async function flowsOf(
  run: Runner,
  { port, protocol, families }: Asked,
): Promise<readonly string[]> {
  const lists = await Promise.all(families.map((family) =>
    run({
      tool: "conntrack",
      args: ["-L", "-f", family, "-p", protocol, "--dport", String(port)],
    }, {})
  ));
  return lists.flatMap(parseFlows).slice(0, FLOWS_MAX);
}

/** Peers of established connections, as `conntrack -L` prints them. */
export function parseFlows(ran: Ran): readonly string[] {
  if (ran.type !== "ran") return [];
  return ran.stdout.split("\n").flatMap((line) => {
    if (!/ ESTABLISHED |^udp .*\[ASSURED\]/.test(line)) return [];
    const [, address, port] = /src=(\S+) dst=\S+ sport=(\d+)/.exec(line) ?? [];
    if (address === undefined || port === undefined) return [];
    return [
      address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
    ];
  });
}
