import fc from 'fast-check';
import type { Value } from '../../../domain/value.ts';

/** Texts that files get wrong: quotes, signs, escapes, line ends, outer blanks, look-alikes of other types. */
export const nastyText: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .array(
        fc.constantFrom(
          "'",
          '"',
          '`',
          '$',
          '\\',
          '\n',
          '#',
          ';',
          ' ',
          '=',
          ':',
          '!',
          '%',
          '{',
          '}',
          '${A}',
          '\\n',
          'é',
          '😀',
          'a',
          'B',
          '1',
          '\t',
          ',',
          '[',
          ']',
          '~',
          '&',
          '*',
          '|',
          '>',
          '-',
          '@',
          '<<',
          '\u2028',
          '\u0085',
          '\u007f',
          '\ufeff',
        ),
        { maxLength: 8 },
      )
      .map((parts) => parts.join('')),
  },
  fc.constantFrom(
    '',
    ' ',
    ' x',
    'x ',
    '1',
    '-0',
    '1.50',
    '1e5',
    'true',
    'yes',
    'null',
    '~',
    'NaN',
    '.inf',
    '2020-01-01',
    '0x1F',
    '0o7',
    '12:30:45',
    '---',
    '...',
    '{}',
    '[]',
    'a\r\nb',
    'x\\',
    '"',
    "''",
    '# c',
    'a #b',
    '-----BEGIN KEY-----\nabc\n-----END KEY-----\n',
  ),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 8 }).filter((text) => text.isWellFormed() && !text.includes('\0')),
);

export const plainKey: fc.Arbitrary<string> = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);

export const nastyKey: fc.Arbitrary<string> = fc.oneof(
  plainKey,
  fc.constantFrom('__proto__', 'constructor', 'toString', 'yes', 'on', 'null', '1', '01', 'a.b', 'a\\.b', 'a-b', '', ' ', 'A_B', '<<', '?'),
  nastyText,
);

const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  fc.constantFrom(1e21, 1e20, 2 ** 53, 5e-324, 0.1, 1e-7),
);
/** Integers that a number does not hold. */
const bigInteger = fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }).chain((value) => fc.constantFrom(value, -value));

export function documents(options: {
  readonly key: fc.Arbitrary<string>;
  readonly text?: fc.Arbitrary<string>;
  readonly nulls: boolean;
}): fc.Arbitrary<ReadonlyMap<string, Value>> {
  const text = options.text ?? nastyText;
  const scalar: fc.Arbitrary<Value> = fc.oneof({ weight: 4, arbitrary: text }, number, bigInteger, fc.boolean(), ...(options.nulls ? [fc.constant(null)] : []));
  const { value } = fc.letrec<{ value: Value; map: ReadonlyMap<string, Value>; list: readonly Value[] }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { weight: 4, arbitrary: scalar },
      { weight: 2, arbitrary: tie('map') },
      { weight: 1, arbitrary: tie('list') },
    ),
    map: fc.array(fc.tuple(options.key, tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
    list: fc.array(tie('value'), { maxLength: 3 }),
  }));
  return fc.array(fc.tuple(options.key, value), { maxLength: 5 }).map((entries) => new Map(entries));
}
