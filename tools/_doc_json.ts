/**
 * The shape of `deno doc --json` (version 2), as far as signatures need it.
 */

/** A type. */
export type TsType =
  | { readonly kind: "keyword" | "typeQuery"; readonly value: string }
  | { readonly kind: "this" }
  | { readonly kind: "literal"; readonly value: Literal }
  | {
    readonly kind: "typeRef";
    readonly value: {
      readonly typeName: string;
      readonly typeParams?: readonly TsType[];
    };
  }
  | {
    readonly kind: "union" | "intersection" | "tuple";
    readonly value: readonly TsType[];
  }
  | {
    readonly kind: "array" | "parenthesized" | "rest" | "optional";
    readonly value: TsType;
  }
  | {
    readonly kind: "typeOperator";
    readonly value: { readonly operator: string; readonly tsType: TsType };
  }
  | {
    readonly kind: "fnOrConstructor";
    readonly value: Callable & { readonly constructor: boolean };
  }
  | {
    readonly kind: "conditional";
    readonly value: {
      readonly checkType: TsType;
      readonly extendsType: TsType;
      readonly trueType: TsType;
      readonly falseType: TsType;
    };
  }
  | {
    readonly kind: "infer";
    readonly value: { readonly typeParam: TypeParam };
  }
  | {
    readonly kind: "indexedAccess";
    readonly value: { readonly objType: TsType; readonly indexType: TsType };
  }
  | { readonly kind: "mapped"; readonly value: Mapped }
  | { readonly kind: "typeLiteral"; readonly value: Members }
  | {
    readonly kind: "typePredicate";
    readonly value: {
      readonly asserts?: boolean;
      readonly param: { readonly type: string; readonly name?: string };
      readonly type?: TsType | null;
    };
  }
  | {
    readonly kind: "importType";
    readonly value: {
      readonly specifier: string;
      readonly qualifier?: string;
      readonly typeParams?: readonly TsType[];
    };
  };

/** A type that is one value. */
export type Literal =
  | { readonly kind: "string" | "bigInt"; readonly string: string }
  | { readonly kind: "number"; readonly number: number }
  | { readonly kind: "boolean"; readonly boolean: boolean }
  | { readonly kind: "template"; readonly tsTypes: readonly TsType[] };

/** A type parameter. */
export interface TypeParam {
  readonly name: string;
  readonly constraint?: TsType;
  readonly default?: TsType;
}

/** `{ readonly [K in T as N]?: V }`. */
export interface Mapped {
  readonly readonly?: boolean | "+" | "-";
  readonly optional?: boolean | "+" | "-";
  readonly typeParam: TypeParam;
  readonly nameType?: TsType;
  readonly tsType?: TsType;
}

/** A parameter. */
export interface Param {
  readonly kind: "identifier" | "assign" | "rest" | "object" | "array";
  readonly name?: string;
  readonly optional?: boolean;
  readonly accessibility?: string;
  readonly readonly?: boolean;
  readonly tsType?: TsType;
  readonly left?: Param;
  readonly arg?: Param;
}

/** What can be called; only some kinds name the result `returnType`. */
export interface Callable {
  readonly params: readonly Param[];
  readonly returnType?: TsType;
  readonly tsType?: TsType;
  readonly typeParams?: readonly TypeParam[];
  readonly hasBody?: boolean;
}

/** A property of a class, interface or object type. */
export interface Property {
  readonly name: string;
  readonly readonly?: boolean;
  readonly optional?: boolean;
  readonly isStatic?: boolean;
  readonly isAbstract?: boolean;
  readonly accessibility?: string;
  readonly tsType?: TsType;
}

/** A method; a class keeps the signature in `functionDef`. */
export interface Method extends Partial<Callable> {
  readonly name: string;
  readonly kind: "method" | "getter" | "setter";
  readonly computed?: boolean;
  readonly optional?: boolean;
  readonly isStatic?: boolean;
  readonly isAbstract?: boolean;
  readonly accessibility?: string;
  readonly functionDef?: Callable;
}

/** What stands between the braces of an interface or object type. */
export interface Members {
  readonly constructors?: readonly Callable[];
  readonly methods?: readonly Method[];
  readonly properties?: readonly Property[];
  readonly callSignatures?: readonly Callable[];
  readonly indexSignatures?:
    readonly (Callable & { readonly readonly?: boolean })[];
}

/** What a declaration says, by its kind. */
export interface Definition extends Members, Partial<Callable> {
  readonly isAbstract?: boolean;
  readonly extends?: string | readonly TsType[];
  readonly superTypeParams?: readonly TsType[];
  readonly implements?: readonly TsType[];
  readonly kind?: string;
  readonly members?: readonly {
    readonly name: string;
    readonly init?: TsType;
  }[];
  readonly elements?: readonly DocSymbol[];
  readonly target?: { readonly filename: string };
}

/** One declaration of a symbol. */
export interface Declaration {
  readonly kind: string;
  readonly declarationKind: "export" | "private" | "declare";
  readonly def?: Definition;
}

/** A name and what it declares. */
export interface DocSymbol {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

/** The whole answer: a module by its address. */
export interface DocJson {
  readonly version: number;
  readonly nodes: Readonly<
    Record<string, { readonly symbols: readonly DocSymbol[] }>
  >;
}
