// deno-lint-ignore-file no-explicit-any
// See _source.ts: nodes of the syntax tree are read with care instead.
/**
 * Error codes and event types that a module declares for its users.
 */

/** The string literals of a union, and of `type` in its members. */
function literalsOf(
  type: any,
  interfaces: ReadonlyMap<string, any>,
  isEvent: boolean,
): { node: any; what: string }[] {
  if (type === undefined || type === null) return [];
  const again = (other: any) => literalsOf(other, interfaces, isEvent);
  switch (type.type) {
    case "TSUnionType":
    case "TSIntersectionType":
      return type.types.flatMap(again);
    case "TSLiteralType":
      return !isEvent && typeof type.literal.value === "string"
        ? [{ node: type, what: type.literal.value }]
        : [];
    case "TSTypeReference": {
      const body = interfaces.get(type.typeName?.name);
      const own = body === undefined ? [] : again(body);
      // `StateEvent<"up">`, where the type is the first argument.
      const first = type.typeArguments?.params?.[0];
      return own.length > 0 || !isEvent
        ? own
        : literalsOf(first, interfaces, false);
    }
    case "TSInterfaceBody":
    case "TSTypeLiteral": {
      const members = type.body ?? type.members ?? [];
      const found = members.find((one: any) =>
        one.type === "TSPropertySignature" && one.key.name === "type"
      );
      return found === undefined || !isEvent
        ? []
        : literalsOf(found.typeAnnotation?.typeAnnotation, interfaces, false);
    }
    default:
      return [];
  }
}

/** Codes and event types that the module declares for others. */
export function namesOf(program: any): { node: any; what: string }[] {
  const bodies = new Map<string, any>();
  const aliases: any[] = [];
  for (const statement of program.body) {
    const exported = statement.type === "ExportNamedDeclaration";
    const declared = exported ? statement.declaration : statement;
    if (declared?.type === "TSInterfaceDeclaration") {
      bodies.set(declared.id.name, declared.body);
    } else if (declared?.type === "TSTypeAliasDeclaration") {
      bodies.set(declared.id.name, declared.typeAnnotation);
      if (exported) aliases.push(declared);
    }
  }
  return aliases.flatMap(({ id, typeAnnotation }) =>
    /ErrorCode$/.test(id.name)
      ? literalsOf(typeAnnotation, bodies, false)
      : /Event$/.test(id.name)
      ? literalsOf(typeAnnotation, bodies, true)
      : []
  );
}
