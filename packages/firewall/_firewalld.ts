import type { Ask, Fact } from "./_linux_facts.ts";
import type { Asked } from "./_request.ts";
import type { Ran } from "./runner.ts";

/** What firewalld says to everybody. */
export interface Firewalld {
  readonly defaultZone: string;
  /** Whether its default zone lists the port; undefined if it was not asked. */
  readonly allowed: boolean | undefined;
  /** The rich rules of all zones that are in use. */
  readonly rich: readonly RichRule[];
}

/** A rich rule in a zone. */
export interface RichRule {
  readonly zone: string;
  readonly rule: string;
}

/** The call of a method of firewalld, without starting it. */
export function busctl(
  method: string,
  ...args: readonly string[]
): readonly [tool: string, ...args: string[]] {
  const name = "org.fedoraproject.FirewallD1";
  const [interfaceName, member] = method.includes(".")
    ? [`${name}.${method.split(".")[0]}`, method.split(".")[1]!]
    : [name, method];
  return [
    ...["busctl", "--system", "--auto-start=no", "--json=short", "call"],
    ...[name, "/org/fedoraproject/FirewallD1", interfaceName!, member],
    ...args,
  ] as const as readonly [string, ...string[]];
}

/**
 * Whether firewalld runs: a call by D-Bus takes 10 ms, its tool 200. An empty
 * name of a zone means the default one, so that all is asked at once.
 */
export async function askFirewalld(
  ask: Ask,
  asked: Asked | undefined,
): Promise<Fact<Firewalld | undefined>> {
  const [ran, listed, rich, zones] = await Promise.all([
    ask(...busctl("getDefaultZone")),
    asked === undefined ? undefined : ask(...busctl(
      ...["zone.queryPort", "sss", "", String(asked.port)] as const,
      asked.protocol,
    )),
    ask(...busctl("zone.getRichRules", "s", "")),
    ask(...busctl("zone.getActiveZones")),
  ]);
  if (ran.type === "forbidden") return { type: "unknown", why: ran.why };
  if (ran.type === "absent") return await askTool(ask);
  const defaultZone = firstDatum(ran);
  if (typeof defaultZone === "string") {
    const allowed = listed === undefined ? undefined : firstDatum(listed);
    const others = await otherRichRules(ask, firstDatum(zones), defaultZone);
    return {
      type: "known",
      value: {
        defaultZone,
        allowed: typeof allowed === "boolean" ? allowed : undefined,
        rich: [...richRules(rich, defaultZone), ...others],
      },
    };
  }
  // Without a bus nothing runs on it.
  const none = /does not exist|not provided by any|no such|connect to bus/i;
  return none.test(ran.stderr)
    ? { type: "known", value: undefined }
    : { type: "unknown", why: `busctl failed: ${ran.stderr.trim()}` };
}

/** In zones that have an interface or a source. */
async function otherRichRules(
  ask: Ask,
  active: unknown,
  defaultZone: string,
): Promise<readonly RichRule[]> {
  const names = typeof active === "object" && active !== null
    ? Object.keys(active).filter((zone) => zone !== defaultZone)
    : [];
  const lists = await Promise.all(names.map(async (zone) => {
    const ran = await ask(...busctl("zone.getRichRules", "s", zone));
    return richRules(ran, zone);
  }));
  return lists.flat();
}

function richRules(ran: Ran, zone: string): readonly RichRule[] {
  const rules = firstDatum(ran);
  if (!Array.isArray(rules)) return [];
  return rules.filter((rule) => typeof rule === "string")
    .map((rule) => ({ zone, rule }));
}

/** The first value that a call answered; undefined when it failed. */
export function firstDatum(ran: Ran): unknown {
  if (ran.type !== "ran" || ran.code !== 0) return undefined;
  try {
    return (JSON.parse(ran.stdout) as { data?: unknown[] }).data?.[0];
  } catch {
    return undefined;
  }
}

async function askTool(ask: Ask): Promise<Fact<Firewalld | undefined>> {
  const ran = await ask("firewall-cmd", "--state");
  if (ran.type === "absent") return ran;
  if (ran.type === "forbidden") return { type: "unknown", why: ran.why };
  // 252: not running; 36: there is no bus to ask by, so nothing runs on it.
  if (ran.code === 252 || ran.code === 36) {
    return { type: "known", value: undefined };
  }
  const zone = ran.code === 0
    ? await ask("firewall-cmd", "--get-default-zone")
    : ran;
  return zone.type === "ran" && zone.code === 0
    ? {
      type: "known",
      value: { defaultZone: zone.stdout.trim(), allowed: undefined, rich: [] },
    }
    : { type: "unknown", why: "firewall-cmd failed" };
}
