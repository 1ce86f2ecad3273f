// deno-lint-ignore-file no-console
/**
 * Writes `packages/resume/testdata/vectors.json` anew, after an intended change
 * of the protocol: whoever wrote another implementation must change it too.
 *
 * ```sh
 * deno run --allow-read --allow-write=packages/resume/testdata tools/make_resume_vectors.ts
 * ```
 *
 * @module
 */

const folder = new URL("../packages/resume/testdata/", import.meta.url);
const { makeVectors } = await import(new URL("make_vectors.ts", folder).href);
const target = new URL("vectors.json", folder);
await Deno.writeTextFile(
  target,
  `${JSON.stringify(await makeVectors(), null, 2)}\n`,
);
console.log(`${target.pathname}: written`);
