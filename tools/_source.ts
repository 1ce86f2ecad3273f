// deno-lint-ignore-file no-explicit-any
// The visitors of Deno's lint API get nodes that it types as `any` for
// selectors of more than one type; what is read of them is checked here.
/**
 * What the rules of `tests/tidy_test.ts` need to know of a source file, read
 * from its syntax tree: a word in a comment or a string is no violation.
 */

import { namesOf } from "./_source_names.ts";

/** Something in a file that a rule looks at. */
export interface Found {
  /** What it is called there. */
  readonly what: string;
  /** The line, from 1. */
  readonly line: number;
}

/** An import or re-export. */
export interface Import extends Found {
  /** `lazy`: by `import()`; `type`: nothing is loaded; `url`: `new URL()`. */
  readonly how: "static" | "lazy" | "type" | "url";
}

/** A source file and what stands in it. */
export interface Source {
  readonly path: string;
  readonly text: string;
  /** How many lines it has. */
  readonly lines: number;
  readonly imports: readonly Import[];
  /** Functions with a body, and how many lines each takes. */
  readonly functions: readonly (Found & { readonly length: number })[];
  /** Each use of `console`. */
  readonly console: readonly Found[];
  /** Uses of the clock, timers, randomness and the system. */
  readonly impure: readonly Found[];
  /** Tests that are ignored or run alone. */
  readonly skips: readonly Found[];
  /** Statements of the module beside imports and named re-exports. */
  readonly logic: readonly Found[];
  /** Members of exported unions `…ErrorCode`, types of exported `…Event`. */
  readonly names: readonly Found[];
}

type Mutable =
  & {
    -readonly [K in "imports" | "functions"]: Source[K][number][];
  }
  & Record<"console" | "impure" | "skips" | "logic" | "names", Found[]>;

type Visitor = Record<string, (node: any) => void>;

/** Objects whose every use makes a function depend on more than its input. */
const IMPURE_OBJECTS: Readonly<Record<string, readonly string[] | "all">> = {
  Deno: "all",
  Date: ["now"],
  Math: ["random"],
  crypto: ["getRandomValues", "randomUUID"],
  localStorage: "all",
  performance: ["now", "timeOrigin"],
  process: "all",
  sessionStorage: "all",
};
const IMPURE_CALLS = new Set([
  "fetch",
  "queueMicrotask",
  "setImmediate",
  "setInterval",
  "setTimeout",
]);

/** `import("x")`, `new URL("x", import.meta.url)` and the statements. */
function importVisitor(add: (node: any, found: Import) => void): Visitor {
  const statement = (node: any) => {
    if (node.source === null || node.source === undefined) return;
    const typeOnly = (node.importKind ?? node.exportKind) === "type";
    add(node, {
      what: String(node.source.value),
      line: 0,
      how: typeOnly ? "type" : "static",
    });
  };
  return {
    ImportDeclaration: statement,
    ExportNamedDeclaration: statement,
    ExportAllDeclaration: statement,
    ImportExpression(node) {
      const what = node.source.type === "Literal" ? node.source.value : "";
      if (what !== "") add(node, { what, line: 0, how: "lazy" });
    },
    TSImportType(node) {
      const what = node.argument?.literal?.value ?? node.argument?.value;
      add(node, { what: String(what), line: 0, how: "type" });
    },
    TSExternalModuleReference(node) {
      add(node, {
        what: String(node.expression.value),
        line: 0,
        how: "static",
      });
    },
    NewExpression(node) {
      const [first, second] = node.arguments;
      if (
        node.callee.name === "URL" && first?.type === "Literal" &&
        second?.type === "MemberExpression" &&
        second.object?.type === "MetaProperty" && /^\.\.?\//.test(first.value)
      ) add(node, { what: first.value, line: 0, how: "url" });
    },
  };
}

function functionName(node: any): string {
  const named = node.id ?? node.parent?.key ??
    (node.parent?.type === "VariableDeclarator" ? node.parent.id : undefined);
  const name = named?.name ?? named?.value;
  return name === undefined ? "a function" : `${name}()`;
}

/** A member expression, also through `globalThis`, as its two names. */
function memberNames(node: any): [string, string] | undefined {
  let object = node.object;
  if (
    object.type === "MemberExpression" && object.object.name === "globalThis"
  ) object = object.property;
  const property = node.property.name ?? node.property.value;
  return object.type === "Identifier" && property !== undefined
    ? [object.name, String(property)]
    : undefined;
}

function purityVisitor(add: (node: any, what: string) => void): Visitor {
  return {
    MemberExpression(node) {
      const [object, property] = memberNames(node) ?? ["", ""];
      if (object === "globalThis" && IMPURE_CALLS.has(property)) {
        add(node, property);
      }
      const impure = Object.hasOwn(IMPURE_OBJECTS, object)
        ? IMPURE_OBJECTS[object]
        : undefined;
      if (object === "Deno" && property === "errors") return;
      if (impure === "all" || impure?.includes(property)) {
        add(node, `${object}.${property}`);
      }
    },
    CallExpression(node) {
      if (IMPURE_CALLS.has(node.callee.name)) add(node, node.callee.name);
    },
    NewExpression(node) {
      if (node.callee.name === "Date" && node.arguments.length === 0) {
        add(node, "new Date()");
      }
    },
  };
}

/** Whether a callee registers a test: `Deno.test`, `t.step`, `testWith`, … */
function registersTest(callee: any): boolean {
  if (callee.type === "Identifier") {
    return /^(test|testWith|it|describe)$/.test(callee.name);
  }
  if (callee.type !== "MemberExpression") return false;
  const property = callee.property.name;
  return property === "step" ||
    (property === "test" && callee.object.name === "Deno") ||
    (callee.object.type === "MemberExpression" && registersTest(callee.object));
}

function skipVisitor(add: (node: any, what: string) => void): Visitor {
  return {
    MemberExpression(node) {
      const property = node.property.name;
      if (
        ["ignore", "only", "skip", "todo"].includes(property) &&
        registersTest(node.object)
      ) add(node, `.${property}`);
    },
    CallExpression(node) {
      if (!registersTest(node.callee)) return;
      for (const argument of node.arguments) {
        if (argument.type !== "ObjectExpression") continue;
        for (const property of argument.properties) {
          const name = property.key?.name ?? property.key?.value;
          if (name === "ignore" || name === "only") add(property, `${name}:`);
        }
      }
    },
  };
}

function isPlainExport(statement: any): boolean {
  return (statement.type === "ExportNamedDeclaration" &&
    statement.declaration === null) ||
    (statement.type === "ExportNamedDeclaration" && statement.source) ||
    statement.type === "ImportDeclaration";
}

function merge(visitors: readonly Visitor[]): Visitor {
  const all: Visitor = {};
  for (const visitor of visitors) {
    for (const [selector, visit] of Object.entries(visitor)) {
      const before = all[selector];
      all[selector] = before === undefined ? visit : (node) => {
        before(node);
        visit(node);
      };
    }
  }
  return all;
}

/** A function that says in which line an offset lies. */
function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    starts.push(at + 1);
  }
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/**
 * Reads a source file. Works only under `deno test`, which has the parser.
 *
 * @throws {SyntaxError} When the file cannot be parsed.
 */
export function readSource(path: string, text: string): Source {
  const lineOf = lineCounter(text);
  const at = (node: any) => lineOf(node.range[0]);
  const facts: Mutable = {
    imports: [],
    functions: [],
    console: [],
    impure: [],
    skips: [],
    logic: [],
    names: [],
  };
  const measure = (node: any) => {
    if (node.body?.type !== "BlockStatement") return;
    const length = lineOf(node.range[1] - 1) - at(node) + 1;
    facts.functions.push({ what: functionName(node), line: at(node), length });
  };
  const visitor = merge([
    importVisitor((node, found) =>
      facts.imports.push({ ...found, line: at(node) })
    ),
    purityVisitor((node, what) => facts.impure.push({ what, line: at(node) })),
    skipVisitor((node, what) => facts.skips.push({ what, line: at(node) })),
    {
      Program(node) {
        for (const statement of node.body) {
          if (isPlainExport(statement)) continue;
          facts.logic.push({ what: statement.type, line: at(statement) });
        }
        for (const { node: where, what } of namesOf(node)) {
          facts.names.push({ what, line: at(where) });
        }
      },
      MemberExpression(node) {
        const [object, property] = memberNames(node) ?? ["", ""];
        if (object === "console") {
          facts.console.push({ what: `console.${property}`, line: at(node) });
        }
      },
      FunctionDeclaration: measure,
      FunctionExpression: measure,
      ArrowFunctionExpression: measure,
    },
  ]);
  Deno.lint.runPlugin(
    { name: "tidy", rules: { read: { create: () => visitor } } },
    path,
    text,
  );
  const lines = text === "" ? 0 : lineOf(text.length - 1);
  return { path, text, lines, ...facts };
}
