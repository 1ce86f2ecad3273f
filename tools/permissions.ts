// deno-lint-ignore-file no-console -- a tool prints
/** Writes the permission table of the README: `deno task update-permissions`. */
import { withTable } from "./_audit.ts";

const path = "README.md";
await Deno.writeTextFile(path, withTable(await Deno.readTextFile(path)));
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["fmt", "-q", path],
}).output();
console.log(`${path}: ${code === 0 ? "written" : "could not be formatted"}`);
