import { InvalidInput } from './problem.ts';

/** A template in parts: text to copy, and names to fill in. */
export type TemplatePart = { readonly literal: string } | { readonly variable: string };

/** Values by name; a name without a value is one that this event does not have. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What is wrong with `{…}` in a template. */
class TemplateError extends Error {}

/** `{name}` is filled in; a literal brace is written twice. Gives the message of what is wrong where the text is no template over `known`. */
export function templateProblem(text: string, known: readonly string[]): string | null {
  try {
    const unknown = parseTemplate(text).flatMap((part) => ('variable' in part && !known.includes(part.variable) ? [part.variable] : []));
    if (unknown.length === 0) return null;
    const names = known.length === 0 ? 'no name is known here' : `known here: ${known.map((name) => `{${name}}`).join(' ')}`;
    return `{${unknown[0]}} is not a name to fill in (${names}; a literal brace is written {{ or }})`;
  } catch (error) {
    if (error instanceof TemplateError) return error.message;
    throw error;
  }
}

/** Parses a template; throws on a brace without its partner. Names are not checked here: see {@link templateProblem}. */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let literal = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char !== '{' && char !== '}') literal += char;
    else if (text[i + 1] === char) {
      literal += char;
      i++;
    } else {
      const end = text.indexOf('}', i);
      if (char === '}' || end === -1) throw new TemplateError(`"${char}" has no partner; a literal brace is written twice`);
      if (literal) parts.push({ literal });
      literal = '';
      parts.push({ variable: text.slice(i + 1, end) });
      i = end;
    }
  }
  if (literal) parts.push({ literal });
  return parts;
}

/** The names that a template fills in. Expects one that {@link templateProblem} let pass. */
export function templateVariables(text: string): ReadonlySet<string> {
  return new Set(parseTemplate(text).flatMap((part) => ('variable' in part ? [part.variable] : [])));
}

/** Fills a template in. Throws InvalidInput naming a variable that has no value. */
export function expandTemplate(text: string, variables: Variables): string {
  return parseTemplate(text)
    .map((part) => ('literal' in part ? part.literal : valueOfVariable(text, part.variable, variables)))
    .join('');
}

function valueOfVariable(template: string, name: string, variables: Variables): string {
  const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
  if (value !== undefined) return value;
  throw new InvalidInput([{ message: `"${template}" needs {${name}}, which has no value for this event; use {env} or route this event by another rule` }]);
}

const maxSlugLength = 63;

/** Names of tenants, repositories, sinks, rules and environments: `[a-z0-9-]`, at most 63, no dash at either end. */
export function isSlug(text: string): boolean {
  return text.length <= maxSlugLength && /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(text) && text !== 'constructor';
}

/**
 * The slug of a branch or tag name, or null where it has none: nothing is left of it, or it would be too long. It is never cut, so that two long
 * names do not become one. A slug holds neither `/` nor `.`, so what a pusher names a branch cannot lead a place elsewhere.
 */
export function slugOf(name: string): string | null {
  const slug = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  return isSlug(slug) ? slug : null;
}
