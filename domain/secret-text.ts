/** What stands for the value wherever a secret is turned into text by accident. */
export const SECRET_MARK = '[secret]';

/**
 * A secret's value, which only {@link SecretText.reveal} gives. Printing, interpolating, concatenating, serialising, cloning and comparing it by
 * accident all meet {@link SECRET_MARK} or an empty object (I8).
 */
export class SecretText {
  // No enumerable or symbol property holds it, so neither JSON, a structured clone, an inspector nor a spread of this object finds it.
  #value: string | null;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself; where it goes from there must be the sink. Throws once it was erased. */
  reveal(): string {
    if (this.#value === null) throw new Error('a secret was used after it had been erased');
    return this.#value;
  }

  /** Lets go of the value. A string cannot be overwritten in memory: it is gone when the engine collects it. */
  erase(): void {
    this.#value = null;
  }

  toString(): string {
    return SECRET_MARK;
  }

  toLocaleString(): string {
    return SECRET_MARK;
  }

  toJSON(): string {
    return SECRET_MARK;
  }

  [Symbol.toPrimitive](): string {
    return SECRET_MARK;
  }

  get [Symbol.toStringTag](): string {
    return SECRET_MARK;
  }

  /** Registered by name, since the domain imports nothing of Node. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return SECRET_MARK;
  }
}
