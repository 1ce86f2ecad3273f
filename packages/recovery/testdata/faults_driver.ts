// deno-lint-ignore-file no-console -- the test reads it
/** Brings about the faults that it is named; a line of JSON for each. */
import { openLab } from "@holdfast/testkit/lab";
import type { Fault } from "./faults/fault.ts";
import { LINK_FAULTS } from "./faults/link.ts";
import { NAME_FAULTS } from "./faults/names.ts";
import { SYSTEM_FAULTS } from "./faults/system.ts";
import { TCP_FAULTS } from "./faults/tcp.ts";

const GROUPS: Readonly<Record<string, readonly Fault[]>> = {
  link: LINK_FAULTS,
  names: NAME_FAULTS,
  system: SYSTEM_FAULTS,
  tcp: TCP_FAULTS,
};

const [group = "link", only] = Deno.args;
await using lab = await openLab();

async function half(fault: Fault, which: "plain" | "prevented") {
  const from = performance.now();
  try {
    await fault.inject?.(lab);
    await fault[which](lab);
    return "shown";
  } catch (error) {
    return error instanceof Error ? error.stack ?? error.message : `${error}`;
  } finally {
    await lab.restore();
    console.error(fault.id, which, Math.round(performance.now() - from), "ms");
  }
}

for (const fault of GROUPS[group]!) {
  if (only !== undefined && !only.split(",").includes(fault.id)) continue;
  const plain = await half(fault, "plain");
  const prevented = await half(fault, "prevented");
  console.log(JSON.stringify({ id: fault.id, plain, prevented }));
}
