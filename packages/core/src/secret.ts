// A value that must never be seen. However it is printed, logged or serialised it reads `[secret]`; only `reveal()` gives it back.

const inspect = Symbol.for('nodejs.util.inspect.custom')

export interface Secret {
  /** The value itself. Call it as late as possible and keep the result in a local. */
  reveal(): string
  toString(): string
  toJSON(): string
}

export function secret(value: string): Secret {
  const covered = (): string => '[secret]'
  return Object.freeze({ reveal: () => value, toString: covered, toJSON: covered, [inspect]: covered })
}
