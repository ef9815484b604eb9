import { expect, test } from 'vitest';
import { SinkError } from '../../../sinks/errors.ts';
import type { Value } from '../../../domain/value.ts';
import type { Scenarios } from './scenario.ts';

/** Names and values that break careless encodings, by the name that {@link ContractLeg.refuses} knows them by. */
export const nastyValues: Readonly<Record<string, readonly [path: string, value: Value]>> = {
  'an empty value': ['empty', ''],
  'a value of spaces': ['spaces', '  padded  '],
  'a value with line breaks': ['lines', 'one\ntwo\r\nthree\n'],
  'a value with a tab': ['tab', 'a\tb'],
  'a value with quotes': ['quotes', `"double" 'single' \`back\``],
  'a value with dollars and backslashes': ['dollars', '$HOME ${HOME} $(id) \\n \\ %s'],
  'a value with comment signs': ['comment', 'a # b ; c // d = e : f'],
  'a value that looks like a number': ['digits', '007'],
  'a value that looks like a boolean': ['truth', 'true'],
  'a value that looks like null': ['nothing', 'null'],
  'a value that looks like JSON': ['json', '{"a":[1,"x"]}'],
  'a value in many scripts': ['scripts', 'Zürich 東京 🚀 e\u0301'],
  'a value with control characters': ['control', 'a\u0001b\u007fc'],
  'a big integer': ['big', 9_007_199_254_740_993n],
  'a fraction': ['fraction', 0.1],
  'a negative number': ['negative', -17],
  'a boolean': ['flag', false],
  'a list': ['list', ['a', 1, true, '']],
  'an empty list': ['emptyList', []],
  'a list of maps': ['mapList', [new Map<string, Value>([['name', 'x']])]],
  'an empty map': ['emptyMap', new Map<string, Value>()],
  'a nested key': ['one.two.three', 'deep'],
  'a key with a literal dot': ['dotted\\.name', 'x'],
  'a key with a dash': ['with-dash', 'x'],
  'a key with a space': ['with space', 'x'],
  'a key with quotes': [`qu"o'te`, 'x'],
  'a key with a backslash': ['back\\\\slash', 'x'],
  'a key with signs': ['a=b:c#d[e]', 'x'],
  'a key in another script': ['schlüssel_鍵', 'x'],
  'a key that is a number': ['42', 'x'],
  'a key named __proto__': ['__proto__', 'x'],
  'a key named constructor': ['constructor', 'x'],
  'a key below __proto__': ['object.__proto__', 'x'],
};

export function valueCases(scenarios: Scenarios): void {
  const refused = new Set(scenarios.leg.refuses);
  const { readable } = scenarios;
  const { keys = 10_000, characters = 1_000_000 } = scenarios.leg.large ?? {};

  const taken = Object.keys(nastyValues).filter((name) => !refused.has(name));
  const survives = `a write, a change, a read and ${readable ? 'an undo' : 'another write'}`;

  test.each(scenarios.leg.values === 'together' ? [] : taken)(`%s survives ${survives}`, (name) => tryValues([name]));

  test(`all of them in one place survive ${survives}`, () => tryValues(taken));

  async function tryValues(names: readonly string[]): Promise<void> {
    const it = await scenarios.begin();
    const values = Object.fromEntries(names.map((name) => nastyValues[name] ?? ['', '']));
    const changed = Object.fromEntries(Object.keys(values).map((path) => [path, 'changed']));
    await it.sync({ ...values, beside: 'x' });
    const { content } = await it.look();
    await it.sync({ ...changed, beside: 'x' });
    if (readable) await it.restore(2);
    else await it.sync({ ...values, beside: 'x' });
    expect((await it.look()).content).toEqual(content);
    const live = await it.read(values);
    expect(live.entries.size).toBe(names.length + 1);
    for (const [key, text] of it.texts(values)) expect(live.entries.get(key)).toBe(text);
    expect(await it.plan({ ...values, beside: 'x' }, { inputsMoved: false })).toMatchObject({ kind: 'unchanged' });
  }

  test.each(Object.keys(nastyValues).filter((name) => refused.has(name)))('%s is refused when it is rendered', async (name) => {
    const it = await scenarios.begin();
    const [path, value] = nastyValues[name] ?? ['', ''];
    const render = () => it.render(Object.fromEntries([[path, value]]));
    expect(render).toThrow(SinkError);
    expect(render).toThrow(expect.objectContaining({ reason: 'unsupported' }));
  });

  test(`${keys} keys are written, changed, mostly deleted${readable ? ' and undone' : ''}`, async () => {
    const it = await scenarios.begin();
    const values = (suffix: string) =>
      Object.fromEntries(Array.from({ length: keys }, (_, index) => [`group${index % 10}.key${index}`, `value ${index}${suffix}`]));
    expect(await it.sync(values(''))).toEqual({ generation: 1, writes: keys });
    expect(await it.sync(values(' changed'))).toEqual({ generation: 2, writes: keys });
    const { content } = await it.look();
    expect(await it.sync({ 'group0.key0': 'value 0 changed' })).toEqual({ generation: 3, writes: keys - 1 });
    if (!readable) return;
    await it.restore(3);
    expect((await it.look()).content).toEqual(content);
  }, 120_000);

  test(`a value of ${characters} characters is written, changed${readable ? ' and undone' : ''}`, async () => {
    const it = await scenarios.begin();
    await it.sync({ large: 'ü'.repeat(characters / 2) + 'x'.repeat(characters / 2), small: 'x' });
    const { content } = await it.look();
    await it.sync({ large: 'y'.repeat(characters), small: 'x' });
    if (!readable) return;
    await it.restore(2);
    expect((await it.look()).content).toEqual(content);
  }, 120_000);
}
