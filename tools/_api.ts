/**
 * The public API of each package as text: what `tests/api_test.ts` compares,
 * so that a change of it shows in review. No doc text and no line numbers: a
 * snapshot changes when a caller could notice.
 */
import type {
  Declaration,
  Definition,
  DocJson,
  DocSymbol,
  TsType,
} from "./_doc_json.ts";
import { entryPoints, type Member } from "./_members.ts";
import {
  annotation,
  renderCallable,
  renderMembers,
  renderType,
  renderTypeParams,
} from "./_signature.ts";

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function superTypes(word: string, types: readonly TsType[] | undefined) {
  return types === undefined || types.length === 0
    ? ""
    : ` ${word} ${types.map(renderType).join(", ")}`;
}

function renderClass(name: string, def: Definition): string[] {
  const base = typeof def.extends === "string"
    ? ` extends ${
      renderType({
        kind: "typeRef",
        value: { typeName: def.extends, typeParams: def.superTypeParams ?? [] },
      })
    }`
    : "";
  // The one with a body is not callable where there are overloads.
  const visible = (def.constructors ?? []).filter((one, _, all) =>
    all.length === 1 || !one.hasBody
  );
  return [
    `${def.isAbstract ? "abstract " : ""}class ${name}${
      renderTypeParams(def.typeParams)
    }${base}${superTypes("implements", def.implements)}`,
    ...indent(renderMembers({ ...def, constructors: visible })),
  ];
}

/** A long union is easier to review with a member a line. */
function renderAlias(start: string, { tsType }: Definition): string[] {
  if (tsType === undefined) return [start];
  const line = `${start} = ${renderType(tsType)}`;
  return tsType.kind === "union" && line.length > 80
    ? [`${start} =`, ...tsType.value.map((one) => `  | ${renderType(one)}`)]
    : [line];
}

function renderDeclaration(name: string, declaration: Declaration): string[] {
  const { kind, def = {} } = declaration;
  switch (kind) {
    case "function":
      return [
        `function ${name}${
          renderCallable({ ...def, params: def.params ?? [] })
        }`,
      ];
    case "variable":
      return [`${def.kind ?? "const"} ${name}${annotation(def.tsType)}`];
    case "typeAlias":
      return renderAlias(
        `type ${name}${renderTypeParams(def.typeParams)}`,
        def,
      );
    case "interface":
      return [
        `interface ${name}${renderTypeParams(def.typeParams)}${
          superTypes("extends", def.extends as readonly TsType[] | undefined)
        }`,
        ...indent(renderMembers(def)),
      ];
    case "class":
      return renderClass(name, def);
    case "enum":
      return [
        `enum ${name}`,
        ...indent(
          (def.members ?? []).map(({ name, init }) =>
            init === undefined ? name : `${name} = ${renderType(init)}`
          ),
        ),
      ];
    case "namespace":
      return [
        `namespace ${name}`,
        ...indent(renderSymbols(def.elements ?? [])),
      ];
    case "reference": // declared by another of the entry points
      return [`export ${name} (${shortPath(def.target?.filename ?? "")})`];
    default:
      return [`${kind} ${name}`];
  }
}

/** The address of a file without the folder of the checkout. */
function shortPath(url: string): string {
  return /packages\/.*$/.exec(url)?.[0] ?? url.replace(/^.*\//, "");
}

function renderSymbol({ name, declarations }: DocSymbol): string[] {
  const shown = declarations.filter((one) =>
    one.declarationKind !== "private" && one.kind !== "moduleDoc"
  );
  const overloaded = shown.filter((one) => one.kind === "function").length > 1;
  return shown
    .filter((one) =>
      !(overloaded && one.kind === "function" && one.def?.hasBody)
    )
    .flatMap((one) => renderDeclaration(name, one));
}

/** The signatures of a module, sorted by name. */
export function renderSymbols(symbols: readonly DocSymbol[]): string[] {
  return symbols
    .toSorted((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
    .flatMap(renderSymbol);
}

/** Asks Deno for the API of every package; the texts by the short names. */
export async function publicApis(
  members: readonly Member[],
  root: string | URL = ".",
): Promise<Map<string, string>> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...new Set(members.flatMap(entryPoints))],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) {
    throw new Error(
      `Cannot read the public API: deno doc failed: ${
        new TextDecoder().decode(stderr).trim()
      }`,
    );
  }
  const json = JSON.parse(new TextDecoder().decode(stdout)) as DocJson;
  if (json.version !== 2) {
    throw new Error(
      `Cannot read the public API: deno doc writes version ${json.version}: teach tools/_doc_json.ts`,
    );
  }
  return new Map(
    members.map((member) => [member.short, renderPackage(member, json)]),
  );
}

function renderPackage(member: Member, json: DocJson): string {
  const files = entryPoints(member);
  const lines: string[] = [];
  Object.keys(member.exports).forEach((key, index) => {
    const address = Object.keys(json.nodes).find((one) =>
      one.startsWith("file:") && one.endsWith(`/${files[index]}`) &&
      (member.folder !== "." || !one.includes("/packages/"))
    );
    const symbols = address === undefined
      ? []
      : json.nodes[address]?.symbols ?? [];
    if (index > 0) lines.push("");
    lines.push(`# ${member.name}${key.slice(1)}`, "");
    lines.push(...renderSymbols(symbols));
  });
  return `${lines.join("\n")}\n`;
}
