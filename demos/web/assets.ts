/** What the page is made of, as it is sent: TypeScript without its types. */
import { stripTypeScriptTypes } from "node:module";

/** A file for a browser. */
export interface Asset {
  readonly type: string;
  readonly text: string;
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  ts: "text/javascript; charset=utf-8",
};

/** All files of the folder, by their path on the server. */
export async function readAssets(
  folder: string,
  token: string,
): Promise<ReadonlyMap<string, Asset>> {
  const assets = new Map<string, Asset>();
  for await (const { name } of Deno.readDir(folder)) {
    const ending = name.slice(name.lastIndexOf(".") + 1);
    const type = TYPES[ending];
    if (type === undefined) continue;
    const text = await Deno.readTextFile(`${folder}/${name}`);
    const path = name === "index.html" ? "/" : `/${name}`;
    assets.set(path, {
      type,
      text: ending === "ts"
        ? stripTypeScriptTypes(text)
        : text.replace("%TOKEN%", token),
    });
  }
  return assets;
}
