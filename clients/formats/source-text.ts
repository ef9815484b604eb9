import { InvalidInput } from '../../domain/problem.ts';
import { formatPath, type Origin, type Path, type Scalar } from '../../domain/value.ts';

/** The text of one file, and where each of its offsets stands. */
export interface SourceText {
  readonly file: string;
  readonly text: string;
  /** Offsets count UTF-16 units from 0. */
  originAt(offset: number): Origin;
  /** The error to throw for what stands at `offset`. */
  refuse(offset: number, message: string, path?: Path): InvalidInput;
}

export function sourceText(file: string, text: string): SourceText {
  const lineStarts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1);

  function originAt(offset: number): Origin {
    let low = 0;
    let high = lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { file, line: low + 1, column: offset - (lineStarts[low] ?? 0) + 1 };
  }

  return { file, text, originAt, refuse: (offset, message, path) => refusal(originAt(offset), message, path) };
}

export function refusal(origin: Origin, message: string, path?: Path): InvalidInput {
  return new InvalidInput([{ message, origin, ...(path && path.length > 0 && { key: formatPath(path) }) }]);
}

export function duplicateKey(origin: Origin, first: Origin, path: Path): InvalidInput {
  return refusal(origin, `the key is there twice, first in line ${first.line}; remove one`, path);
}

/** An integer in the value model: number while that is exact, else bigint. */
export function exactInteger(value: bigint): Scalar {
  const near = Number(value);
  return Number.isSafeInteger(near) ? near : value;
}
