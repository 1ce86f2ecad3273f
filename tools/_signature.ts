/**
 * Types and signatures of `deno doc --json` as TypeScript text.
 */
import type {
  Callable,
  Literal,
  Members,
  Method,
  Param,
  Property,
  TsType,
  TypeParam,
} from "./_doc_json.ts";

function list(types: readonly TsType[], between: string): string {
  return types.map(renderType).join(between);
}

function literal(value: Literal): string {
  switch (value.kind) {
    case "string":
      return JSON.stringify(value.string);
    case "number":
      return String(value.number);
    case "boolean":
      return String(value.boolean);
    case "bigInt":
      return `${value.string}n`;
    case "template":
      return `\`${
        value.tsTypes.map((type) =>
          type.kind === "literal" && type.value.kind === "string"
            ? type.value.string
            : `\${${renderType(type)}}`
        ).join("")
      }\``;
  }
}

function modifier(value: boolean | "+" | "-" | undefined, word: string) {
  return value === undefined || value === false
    ? ""
    : `${value === true ? "" : value}${word}`;
}

/**
 * A type as text.
 *
 * @throws {TypeError} For a kind of type that this cannot render, so that a
 * snapshot never hides a change.
 */
export function renderType(type: TsType): string {
  switch (type.kind) {
    case "keyword":
      return type.value;
    case "this":
      return "this";
    case "typeQuery":
      return `typeof ${type.value}`;
    case "literal":
      return literal(type.value);
    case "typeRef":
      return type.value.typeName + typeArguments(type.value.typeParams);
    case "union":
      return list(type.value, " | ");
    case "intersection":
      return list(type.value, " & ");
    case "tuple":
      return `[${list(type.value, ", ")}]`;
    case "array":
      return `${renderType(type.value)}[]`;
    case "parenthesized":
      return `(${renderType(type.value)})`;
    case "rest":
      return `...${renderType(type.value)}`;
    case "optional":
      return `${renderType(type.value)}?`;
    case "typeOperator":
      return `${type.value.operator} ${renderType(type.value.tsType)}`;
    case "infer":
      return `infer ${renderTypeParam(type.value.typeParam)}`;
    case "indexedAccess":
      return `${renderType(type.value.objType)}[${
        renderType(type.value.indexType)
      }]`;
    case "typeLiteral":
      return braces(renderMembers(type.value));
    default:
      return renderCompound(type);
  }
}

type Compound = Extract<
  TsType,
  {
    kind:
      | "fnOrConstructor"
      | "conditional"
      | "mapped"
      | "typePredicate"
      | "importType";
  }
>;

function renderCompound(type: Compound): string {
  switch (type.kind) {
    case "fnOrConstructor":
      return `${type.value.constructor ? "new " : ""}${
        renderCallable(type.value, " => ")
      }`;
    case "conditional": {
      const { checkType, extendsType, trueType, falseType } = type.value;
      return `${renderType(checkType)} extends ${renderType(extendsType)} ? ${
        renderType(trueType)
      } : ${renderType(falseType)}`;
    }
    case "mapped": {
      const { readonly, optional, typeParam, nameType, tsType } = type.value;
      const { name, constraint } = typeParam;
      const over = constraint === undefined ? "" : renderType(constraint);
      const as = nameType === undefined ? "" : ` as ${renderType(nameType)}`;
      return `{ ${modifier(readonly, "readonly ")}[${name} in ${over}${as}]${
        modifier(optional, "?")
      }${annotation(tsType)} }`;
    }
    case "typePredicate": {
      const { asserts, param, type: what } = type.value;
      const subject = param.type === "this" ? "this" : param.name;
      return `${asserts ? "asserts " : ""}${subject}${
        what ? ` is ${renderType(what)}` : ""
      }`;
    }
    case "importType": {
      const { specifier, qualifier, typeParams } = type.value;
      return `import(${JSON.stringify(specifier)})${
        qualifier ? `.${qualifier}` : ""
      }${typeArguments(typeParams)}`;
    }
    default:
      throw new TypeError(
        `Cannot render a type: kind "${
          (type as TsType).kind
        }" is unknown: teach tools/_signature.ts`,
      );
  }
}

function typeArguments(types: readonly TsType[] | undefined): string {
  return types === undefined || types.length === 0
    ? ""
    : `<${list(types, ", ")}>`;
}

function renderTypeParam(param: TypeParam): string {
  return param.name +
    (param.constraint ? ` extends ${renderType(param.constraint)}` : "") +
    (param.default ? ` = ${renderType(param.default)}` : "");
}

/** `<T extends U>`, or nothing. */
export function renderTypeParams(
  params: readonly TypeParam[] | undefined,
): string {
  return params === undefined || params.length === 0
    ? ""
    : `<${params.map(renderTypeParam).join(", ")}>`;
}

/** `: T`, or nothing. */
export function annotation(type: TsType | undefined): string {
  return type === undefined ? "" : `: ${renderType(type)}`;
}

function renderParam(param: Param): string {
  if (param.kind === "assign" && param.left !== undefined) {
    return renderParam({ ...param.left, optional: true });
  }
  if (param.kind === "rest" && param.arg !== undefined) {
    return `...${param.arg.name ?? "rest"}${
      annotation(param.tsType ?? param.arg.tsType)
    }`;
  }
  // The names inside a destructured parameter bind nobody outside.
  const name = param.name ?? (param.kind === "array" ? "[]" : "{}");
  const access = param.accessibility === undefined
    ? ""
    : `${param.accessibility} `;
  return `${access}${param.readonly ? "readonly " : ""}${name}${
    param.optional ? "?" : ""
  }${annotation(param.tsType)}`;
}

/** `<T>(a: A): R`. */
export function renderCallable(callable: Callable, before = ": "): string {
  const result = callable.returnType ?? callable.tsType;
  return `${renderTypeParams(callable.typeParams)}(${
    callable.params.map(renderParam).join(", ")
  })${result === undefined ? "" : before + renderType(result)}`;
}

function renderMethod(method: Method): string {
  const callable = method.functionDef ??
    { ...method, params: method.params ?? [] };
  const name = method.computed && !method.name.startsWith("[")
    ? `[${method.name}]`
    : method.name;
  const kind = method.kind === "getter"
    ? "get "
    : method.kind === "setter"
    ? "set "
    : "";
  return `${prefix(method)}${kind}${name}${method.optional ? "?" : ""}${
    renderCallable(callable)
  }`;
}

function renderProperty(property: Property): string {
  return `${prefix(property)}${property.readonly ? "readonly " : ""}${
    /^[\w$.[\]]+$/.test(property.name)
      ? property.name
      : JSON.stringify(property.name)
  }${property.optional ? "?" : ""}${annotation(property.tsType)}`;
}

function prefix(member: Property | Method): string {
  return (member.accessibility === "protected" ? "protected " : "") +
    (member.isStatic ? "static " : "") +
    (member.isAbstract ? "abstract " : "");
}

function isPublic(member: Property | Method): boolean {
  return member.accessibility !== "private" && !member.name.startsWith("#");
}

/** The signature of each member that users see, one a line. */
export function renderMembers(members: Members): string[] {
  const { constructors, properties, methods, callSignatures, indexSignatures } =
    members;
  return [
    ...(constructors ?? []).map((one) => `new ${renderCallable(one)}`),
    ...(callSignatures ?? []).map((one) => renderCallable(one)),
    ...(indexSignatures ?? []).map((one) =>
      `${one.readonly ? "readonly " : ""}[${
        one.params.map(renderParam).join(", ")
      }]${annotation(one.tsType)}`
    ),
    ...(properties ?? []).filter(isPublic).map(renderProperty),
    ...(methods ?? []).filter(isPublic).map(renderMethod),
  ];
}

function braces(lines: readonly string[]): string {
  return lines.length === 0 ? "{}" : `{ ${lines.join("; ")} }`;
}
