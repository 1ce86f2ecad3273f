import type { WindowsFacts } from "./_windows_facts.ts";
import { PROFILES } from "./_windows_rules.ts";
import type { FirewallReport, LayerReport } from "./report.ts";

/** What `inspectFirewall` says of a machine with Windows. */
export function reportWindows(facts: WindowsFacts): FirewallReport {
  return {
    system: "windows",
    rights: facts.rights,
    layers: [defenderReport(facts)],
  };
}

function defenderReport({ defender, netsh }: WindowsFacts): LayerReport {
  const layer = "defender";
  if (defender.type !== "known") {
    const why = defender.type === "unknown"
      ? defender.why
      : "the registry cannot be read";
    const command = defender.type === "unknown" ? defender.command : undefined;
    const hint = netsh === undefined
      ? ""
      : `; netsh says ${
        PROFILES.map((profile) => `${profile}: ${netsh[profile].policy ?? "?"}`)
          .join(", ")
      }`;
    return {
      layer,
      status: "unknown",
      why: `${why}${hint}`,
      ...(command && { command }),
    };
  }
  const { settings, rules, unread } = defender.value;
  const parts = PROFILES.map((profile) => {
    const { on, shieldsUp, allowsByDefault, managed } = settings[profile];
    const state = on === undefined
      ? "unknown"
      : !on
      ? "off"
      : shieldsUp
      ? "blocks all"
      : allowsByDefault
      ? "allows by default"
      : "blocks by default";
    return `${profile} ${state}${managed.length > 0 ? " (managed)" : ""}`;
  });
  const inbound =
    rules.filter((rule) => rule.active && rule.direction === "in").length;
  const odd = unread.length > 0 ? `, ${unread.length} not readable` : "";
  const detail = `${parts.join(", ")}; ${inbound} inbound rules${odd}`;
  const off = PROFILES.every((profile) => settings[profile].on === false);
  return { layer, status: off ? "inactive" : "active", detail };
}
