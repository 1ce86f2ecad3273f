// deno-lint-ignore-file no-console -- a command-line program
/** The bench of recovery, in a lab of its own; see ../recovery.ts. */
import { type Lab, openLab } from "@holdfast/testkit/lab";
import { doctorMatrix } from "./doctor.ts";
import { emfile } from "./emfile.ts";
import { herds } from "./herd.ts";
import type { Part } from "./numbers.ts";
import { deadPath, dialAtLoss, flaps, names } from "./paths.ts";

const quick = Deno.args.includes("--quick");
const say = (text: string): void => console.error(text);
type Numbers = Record<string, number>;

const figures: Numbers = {};
const peers: Numbers = {};

async function part(
  name: string,
  run: (lab: Lab) => Promise<Part>,
): Promise<void> {
  await using lab = await openLab();
  const found = await run(lab);
  Object.assign(figures, found.figures);
  Object.assign(peers, found.peers);
  say(`${name}: ${JSON.stringify(found)}`);
}

await part("dead path", (lab) => deadPath(lab, quick ? 4 : 20));
await part("link flap", (lab) => flaps(lab, quick ? 6 : 100));
await part("30 % loss", (lab) => dialAtLoss(lab, quick ? 100 : 400));
await part("names", (lab) => names(lab, quick ? 5 : 20));
await part("descriptors", () => emfile(quick ? 1_000 : 10_000));
await part("herd", () => Promise.resolve(herds()));
const doctor = await doctorMatrix(
  quick ? { rounds: 1, healthy: 20 } : { rounds: 3, healthy: 200 },
  say,
);
Object.assign(figures, doctor);
console.log(
  JSON.stringify({ bench: "recovery", ratios: {}, figures, peers }),
);
Deno.exit(0);
