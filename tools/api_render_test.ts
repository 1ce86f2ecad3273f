import { assertEquals, assertThrows } from "@std/assert";
import { publicApis } from "./_api.ts";
import type { TsType } from "./_doc_json.ts";
import { renderType } from "./_signature.ts";

const MODULE = `
/** A doc with "function hidden(): void" in it. */
export class A<T extends string = "x"> extends Map<T, T> implements Iterable<T> {
  readonly code: "a" | "b" = "a";
  static s?: number = 1;
  #p = 1;
  private q = 2;
  protected r: number = 3;
  constructor(code: "a" | "b", message: string = "x", options?: ErrorOptions) { super(); }
  [Symbol.dispose](): void { this.#p + this.q }
  get x(): number { return 1; }
  async m<U>({ a, b = 3 }: { a: U; b?: number } = { a: 1 as U }, ...rest: readonly string[]): Promise<this> { return this }
}
interface Hidden { readonly secret: string }
export interface I<K> extends Disposable {
  f<T>(x: T, y?: K): asserts x is T; readonly g?: number; readonly "a-b": Hidden | undefined; readonly [key: number]: unknown;
  new (x: number): I<K>; (y: string): void; on(a: "x"): void; on(b: "y"): void; [Symbol.asyncDispose](): Promise<void>; }
export type M<T> = { readonly [K in keyof T]-?: T[K] extends infer U ? U : never };
export type E = | { readonly type: "opened"; readonly reason: "key" | "force" } | { readonly type: "closed" } | { readonly type: "lost" };
export type T2 = [string, number] | typeof A | \`x\${string}\` | import("./other.ts").X | -1 | true | ((a: string) => a is "x") | (new () => void);
export const LIMITS: { readonly a: number } = { a: 1 };
/** Overloaded. */
export function over(a: string): string;
export function over(a: number): number;
export function over(a: unknown): unknown { return a; }
export { X as renamed } from "./other.ts";
`;

const EXPECTED = `# @x/a

class A<T extends string = "x"> extends Map<T, T> implements Iterable<T>
  new (code: "a" | "b", message?: string, options?: ErrorOptions)
  readonly code: "a" | "b"
  static s?: number
  protected r: number
  [Symbol.dispose](): void
  get x(): number
  m<U>({}?: { a: U; b?: number }, ...rest: readonly string[]): Promise<this>
type E =
  | { readonly type: "opened"; readonly reason: "key" | "force" }
  | { readonly type: "closed" }
  | { readonly type: "lost" }
interface I<K> extends Disposable
  new (x: number): I<K>
  (y: string): void
  readonly [key: number]: unknown
  readonly g?: number
  readonly "a-b": Hidden | undefined
  f<T>(x: T, y?: K): asserts x is T
  on(a: "x"): void
  on(b: "y"): void
  [Symbol.asyncDispose](): Promise<void>
const LIMITS: { readonly a: number }
type M<T> = { readonly [K in keyof T]-?: T[K] extends infer U ? U : never }
type T2 =
  | [string, number]
  | typeof A
  | \`x\${string}\`
  | import("./other.ts").X
  | -1
  | true
  | ((a: string) => a is "x")
  | (new () => void)
function over(a: string): string
function over(a: number): number
export renamed (packages/a/other.ts)

# @x/a/other

class X
  new ()
`;

async function apiIn(folder: string): Promise<string | undefined> {
  const member = {
    name: "@x/a",
    short: "a",
    folder: "packages/a",
    version: "1.0.0",
    license: "MIT",
    exports: { ".": "./mod.ts", "./other": "./other.ts" },
  };
  return (await publicApis([member], folder)).get("a");
}

Deno.test("publicApis renders what a caller can notice, wherever it stands", async () => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/packages/a`, { recursive: true });
    const write = (name: string, text: string) =>
      Deno.writeTextFile(`${root}/packages/a/${name}`, text);
    await write("other.ts", "export class X { constructor() {} }\n");
    await write("mod.ts", MODULE);
    assertEquals(await apiIn(root), EXPECTED);
    await write("mod.ts", `// Moved by a line.\n${MODULE}`);
    assertEquals(await apiIn(root), EXPECTED);
    await write(
      "mod.ts",
      MODULE.replace("message: string =", "message: number ="),
    );
    assertEquals(
      await apiIn(root),
      EXPECTED.replace("message?: string", "message?: number"),
    );
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("renderType refuses a kind it does not know", () => {
  const unknown = { kind: "holographic" } as unknown as TsType;
  assertThrows(() => renderType(unknown), TypeError, "holographic");
});
