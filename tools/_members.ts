/**
 * The packages of the workspace, read from their `deno.json`.
 */

/** A package: a member under `packages/`, or the root. */
export interface Member {
  /** Such as `@holdfast/events`. */
  readonly name: string;
  /** The name without its scope: what files about the package are called. */
  readonly short: string;
  /** The folder, from the root of the checkout; `"."` for the root. */
  readonly folder: string;
  /** In lockstep over all packages. */
  readonly version: string;
  /** The licence's SPDX name. */
  readonly license: string;
  /** Entry points: `"."` or `"./cli"` to the file, from the package's folder. */
  readonly exports: Readonly<Record<string, string>>;
}

/** The parts of a `deno.json` that describe a package. */
interface Config {
  readonly name?: string;
  readonly version?: string;
  readonly license?: string;
  readonly exports?: string | Readonly<Record<string, string>>;
}

/** Reads a package from the text of its `deno.json`. */
export function parseMember(folder: string, text: string): Member {
  const config = JSON.parse(text) as Config;
  const name = config.name ?? "";
  const short = /^@[^/]+\/([^/]+)$/.exec(name)?.[1];
  if (short === undefined) {
    throw new TypeError(
      `Cannot read ${folder}/deno.json: name "${name}": write "@scope/name"`,
    );
  }
  return {
    name,
    short,
    folder,
    version: config.version ?? "",
    license: config.license ?? "",
    exports: typeof config.exports === "string"
      ? { ".": config.exports }
      : config.exports ?? {},
  };
}

/** The path of each entry point from the root of the checkout. */
export function entryPoints(member: Member): string[] {
  return Object.values(member.exports).map((file) => {
    const path = file.replace(/^\.\//, "");
    return member.folder === "." ? path : `${member.folder}/${path}`;
  });
}

/** Every package that is published: those under `packages/`, then the root. */
export function readMembers(root = "."): Member[] {
  const folders = [...Deno.readDirSync(`${root}/packages`)]
    .filter((entry) => entry.isDirectory)
    .map((entry) => `packages/${entry.name}`)
    .sort();
  return [...folders, "."].map((folder) =>
    parseMember(folder, Deno.readTextFileSync(`${root}/${folder}/deno.json`))
  );
}
