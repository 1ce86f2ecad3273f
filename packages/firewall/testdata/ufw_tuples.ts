import type { Asked } from "../_request.ts";
import { ufwDrops } from "../_ufw.ts";

/** Whether a text of ufw has a rule for what is asked, and for nothing else. */
export function concerned(rules: string, asked: Asked): boolean {
  const policy = { input: "drop", rules } as const;
  const other = { ...asked, port: asked.port + 1 };
  return ufwDrops(policy, asked) === "maybe" &&
    ufwDrops(policy, other) === "yes";
}
