// deno-lint-ignore-file no-console
/**
 * `deno doc --lint` over every entry point of every package: each public
 * symbol has a docstring, an explicit type and no private type in it.
 *
 * @module
 */
import { entryPoints, readMembers } from "./_members.ts";

const files = readMembers().flatMap(entryPoints);
console.log(`deno doc --lint over ${files.length} entry points`);
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["doc", "--lint", ...files],
}).spawn().status;
Deno.exit(code);
