// deno-lint-ignore-file no-console -- a tool prints
/** Builds the API documentation of every entry point: `deno task doc`. */
import { entryPoints, readMembers } from "./_members.ts";

const output = Deno.args[0] ?? ".site";
const entries = readMembers().flatMap(entryPoints);
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [
    ...["doc", "--html", "--quiet", "--name=holdfast"],
    ...[`--output=${output}`, ...entries],
  ],
}).spawn().status;
if (code === 0) console.log(`${entries.length} entry points in ${output}`);
Deno.exit(code);
