// deno-lint-ignore-file no-console -- the test and the bench read it
/**
 * Every fault of the lab before the doctor, `--rounds` times, and `--healthy`
 * runs without one; a line of JSON for each. Runs in namespaces of its own.
 */
import { openLab } from "@holdfast/testkit/lab";
import { HEALTHY, LAB_FAULTS } from "@holdfast/testkit/lab-faults";
import { parseArgs } from "node:util";
import { diagnose } from "../doctor.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1" },
    healthy: { type: "string", default: "5" },
    only: { type: "string" },
    /** `1/2`: the second half of the faults. */
    part: { type: "string", default: "0/1" },
    verbose: { type: "boolean", default: false },
  },
});
await using lab = await openLab();
const local = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const accepting = (async () => {
  for await (const conn of local) conn.close();
})();

for (let i = 0; i < Number(values.healthy); i++) {
  const ask = structuredClone(HEALTHY[i % HEALTHY.length]!) as {
    target?: { hostname: string; port: number };
  };
  if (ask.target?.port === 0) ask.target.port = local.addr.port;
  const { causes, tookMs, steps } = await diagnose(ask);
  console.log(JSON.stringify({ id: "healthy", causes, tookMs }));
  if (values.verbose) console.log(JSON.stringify(steps));
}
const [part = 0, parts = 1] = values.part.split("/").map(Number);
const faults = LAB_FAULTS.filter((_, index) => index % parts === part);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const { id, inject, ask } of faults) {
    if (values.only && !values.only.split(",").includes(id)) continue;
    const held = await inject(lab);
    const { causes, tookMs, steps } = await diagnose(ask);
    console.log(JSON.stringify({ id, causes, tookMs }));
    if (values.verbose) console.log(JSON.stringify(steps));
    held?.[Symbol.dispose]();
    await lab.restore();
  }
}
local.close();
await accepting;
