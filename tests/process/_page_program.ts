/** A program of a page as a module, so that what it exports can be run. */
import { assert } from "@std/assert";

/** The program that contains `word` in a file of its own, changed by `edit`. */
export async function programFile(
  page: string,
  word: string,
  edit: (code: string) => string = (code) => code,
): Promise<{ readonly path: string } & Disposable> {
  const text = await Deno.readTextFile(page);
  const code = [...text.matchAll(/```ts\n([\s\S]*?)\n```/g)]
    .map(([, code]) => code!).find((code) => code.includes(word));
  assert(code !== undefined, `no program of ${page} has "${word}"`);
  // Inside the repository, where the names of packages are known.
  await Deno.mkdir(".reports", { recursive: true });
  const path = `${Deno.cwd()}/.reports/program-${crypto.randomUUID()}.ts`;
  await Deno.writeTextFile(path, edit(code));
  return { path, [Symbol.dispose]: () => Deno.removeSync(path) };
}

/** The same, loaded. */
export async function programOf(
  page: string,
  word: string,
  // deno-lint-ignore no-explicit-any -- as the page has it
): Promise<{ readonly module: any; readonly path: string } & Disposable> {
  const file = await programFile(page, word);
  return { ...file, module: await import(`file://${file.path}`) };
}
