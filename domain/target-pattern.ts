/**
 * The names that a target can have, as a text in which single characters of the private use area stand for what only an event will tell.
 * A text without such characters is one name.
 */
export const anySlug = '\u{E000}';
export const anyNumber = '\u{E001}';
/** The rest of a slug, perhaps nothing. */
export const slugTail = '\u{E002}';

const wildcards: Readonly<Record<string, { readonly class: RegExp; readonly mayBeEmpty: boolean }>> = {
  [anySlug]: { class: /[a-z0-9-]/, mayBeEmpty: false },
  [anyNumber]: { class: /[0-9]/, mayBeEmpty: false },
  [slugTail]: { class: /[a-z0-9-]/, mayBeEmpty: true },
};

/** A pattern as people can read it. */
export function formatPattern(pattern: string): string {
  return pattern.replaceAll(/[\u{E000}-\u{E002}]/gu, '…');
}

/** One name that the pattern stands for. */
export function sampleOf(pattern: string): string {
  return pattern.replaceAll(anySlug, 'x').replaceAll(anyNumber, '1').replaceAll(slugTail, '');
}

/** The text before the first open part. Two patterns can only meet where one's head begins the other's. */
export function headOf(pattern: string): string {
  return /^[^\u{E000}-\u{E002}]*/u.exec(pattern)?.[0] ?? '';
}

/** Whether some name belongs to both patterns. A variable that stands twice counts as two: told too often rather than too seldom. */
export function canMeet(a: string, b: string): boolean {
  if (headOf(a) === a && headOf(b) === b) return a === b;
  return canGetTo(a, b, (x, y) => isEnd(x, a) && isEnd(y, b));
}

/** Whether some name of `b` begins with one of `a`. */
export function canBegin(a: string, b: string): boolean {
  if (headOf(a) === a && headOf(b) === b) return b.startsWith(a);
  return canGetTo(a, b, (x) => isEnd(x, a));
}

/** Whether the same characters can take both patterns to where `isThere` says. */
function canGetTo(a: string, b: string, isThere: (x: State, y: State) => boolean): boolean {
  const seen = new Set<number>();
  const open: (readonly [State, State])[] = [[start, start]];
  for (let pair = open.pop(); pair; pair = open.pop()) {
    const [x, y] = pair;
    const id = stateId(x, a) * (2 * b.length + 2) + stateId(y, b);
    if (seen.has(id)) continue;
    seen.add(id);
    if (isThere(x, y)) return true;
    for (const left of steps(x, a)) {
      for (const right of steps(y, b)) if (shareCharacter(left.takes, right.takes)) open.push([left.to, right.to]);
    }
  }
  return false;
}

/** Before the character at `at`; `inside`: that character is a wildcard that has taken something already. */
interface State {
  readonly at: number;
  readonly inside: boolean;
}

const start: State = { at: 0, inside: false };

function stateId(state: State, pattern: string): number {
  return state.at + (state.inside ? pattern.length + 1 : 0);
}

function isEnd(state: State, pattern: string): boolean {
  if (state.at === pattern.length) return true;
  return mayLeave(state, pattern) && isEnd({ at: state.at + 1, inside: false }, pattern);
}

function mayLeave(state: State, pattern: string): boolean {
  const wildcard = wildcards[pattern[state.at] ?? ''];
  return wildcard !== undefined && (state.inside || wildcard.mayBeEmpty);
}

/** What can be taken next, and where that leads. */
function steps(state: State, pattern: string): { readonly takes: string; readonly to: State }[] {
  const takes = pattern[state.at];
  if (takes === undefined) return [];
  if (!(takes in wildcards)) return [{ takes, to: { at: state.at + 1, inside: false } }];
  const stay = { takes, to: { at: state.at, inside: true } };
  return mayLeave(state, pattern) ? [stay, ...steps({ at: state.at + 1, inside: false }, pattern)] : [stay];
}

function shareCharacter(a: string, b: string): boolean {
  const [left, right] = [wildcards[a], wildcards[b]];
  // Every class holds the digits.
  if (left && right) return true;
  if (left) return left.class.test(b);
  return right ? right.class.test(a) : a === b;
}
