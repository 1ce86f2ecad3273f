/** Every fault of the lab before the doctor: who is taken for whom. */
import { runInLab } from "@holdfast/testkit/lab";
import { round } from "./numbers.ts";

const DRIVER = new URL(
  "../../packages/recovery/testdata/doctor_driver.ts",
  import.meta.url,
);

/** The confusion matrix, by its rows; and the figures. */
export async function doctorMatrix(
  { rounds, healthy }: { readonly rounds: number; readonly healthy: number },
  say: (text: string) => void,
): Promise<Record<string, number>> {
  const output = await runInLab(DRIVER, [
    ...["--rounds", `${rounds}`, "--healthy", `${healthy}`],
  ]);
  const rows = new Map<string, Map<string, number>>();
  let [slowest, alarms] = [0, 0];
  for (const line of output.trim().split("\n")) {
    const { id, causes, tookMs } = JSON.parse(line);
    const told = causes[0]?.id ?? "healthy";
    const row = rows.get(id) ?? new Map();
    rows.set(id, row.set(told, (row.get(told) ?? 0) + 1));
    // The pause of the idle check comes on top.
    if (id !== "idle-dropped") slowest = Math.max(slowest, tookMs);
    if (id === "healthy" && told !== "healthy") alarms++;
  }
  let [right, all] = [0, 0];
  say("injected → told:");
  for (const [id, row] of rows) {
    const cells = [...row].map(([told, count]) => `${told} ${count}`);
    say(`  ${id.padEnd(24)} ${cells.join(", ")}`);
    if (id === "healthy") continue;
    right += row.get(id) ?? 0;
    all += [...row.values()].reduce((a, b) => a + b, 0);
  }
  return {
    doctor_causes: rows.size - 1,
    doctor_diagonal: round(right / all),
    doctor_false_alarms: alarms,
    doctor_healthy_runs: healthy,
    doctor_ms_max: round(slowest),
  };
}
