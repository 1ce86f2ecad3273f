// deno-lint-ignore-file no-console
/**
 * Publishes every package to JSR, each after those that it imports, the root
 * last. Arguments go to `deno publish`, such as `--dry-run --allow-dirty`.
 *
 * A version that is already there is skipped by Deno, so that a run which
 * failed half-way can be repeated.
 *
 * @module
 */
import { type Member, readMembers } from "./_members.ts";
import { inOrder } from "./_table.ts";

/** `deno publish` has been seen to hang after the upload. */
const TRY_LIMIT_MS = 3 * 60_000;
const TRIES = 3;

async function publish(member: Member, args: string[]): Promise<boolean> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    console.log(`\n== ${member.name}@${member.version}, try ${attempt}`);
    const signal = AbortSignal.timeout(TRY_LIMIT_MS);
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["publish", ...args],
      cwd: member.folder,
      stdin: "null",
      signal,
    }).spawn().status;
    if (success) return true;
    console.error(signal.aborted ? "took too long" : "failed");
  }
  return false;
}

for (const member of inOrder(readMembers())) {
  if (!await publish(member, Deno.args)) {
    console.error(`Cannot publish ${member.name}: ${TRIES} tries failed`);
    Deno.exit(1);
  }
}
