import { InvalidInput } from '../../domain/problem.ts';
import { formatPath, type Path, type Value } from '../../domain/value.ts';

/** What a format without `{}` says for a document without keys: an empty file would be taken for a failed read. */
export const NO_KEYS = '# no keys\n';

/** Map entries in code unit order, the order of the canonical text. */
export function sortedEntries(map: ReadonlyMap<string, Value>): [string, Value][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

export function cannotRender(path: Path, message: string): InvalidInput {
  return new InvalidInput([{ key: formatPath(path), message }]);
}

/** A string in double quotes that JSON, YAML 1.1, YAML 1.2 and TOML 1.0 all read alike: also what JSON leaves bare and they do not is escaped. */
export function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A float as every reader takes it for one: `1.0e+21`, since YAML 1.1 wants the dot; an integer that a double does not hold exactly is one too. */
export function numberText(value: number): string {
  if (Number.isSafeInteger(value)) return String(value + 0);
  const text = Number.isInteger(value) ? value.toExponential() : JSON.stringify(value);
  return text.includes('.') ? text : text.replace('e', '.0e');
}
