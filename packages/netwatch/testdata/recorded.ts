/** The text of a recorded output beside this file. */
export function recorded(name: string): string {
  return Deno.readTextFileSync(new URL(name, import.meta.url));
}
