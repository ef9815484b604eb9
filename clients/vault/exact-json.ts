// Of ES2025's proposals, in Node since 22; TypeScript does not know it yet.
const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown };

/** Parses JSON; a number that a double does not hold exactly becomes `JSON.rawJSON`, so that it comes out as it went in. Undefined for what is no JSON. */
export function parseExactly(text: string): unknown {
  try {
    return JSON.parse(text, keepNumber as (key: string, value: unknown) => unknown);
  } catch {
    return undefined;
  }
}

function keepNumber(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  return typeof value === 'number' && context.source !== undefined && String(value) !== context.source ? rawJSON(context.source) : value;
}
