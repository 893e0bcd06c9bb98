// The five errors. Each says whose fault it is and has a stable code; anything else that is thrown is a bug of ours:
// it is logged with its stack and ends its own session, never the process.

export type Fault = 'client' | 'upstream' | 'gateway'

interface Cause {
  readonly cause?: unknown
}

abstract class SallyportError extends Error {
  abstract readonly fault: Fault
  readonly code: string

  constructor(code: string, message: string, options?: Cause) {
    super(message, options)
    this.code = code
    this.name = new.target.name
  }
}

/** The caller may not. The message is safe to show to the caller; every other error reaches a client as its code only. */
export class Denied extends SallyportError {
  readonly fault = 'client' as const
}

/** One end sent bytes that its protocol does not allow, or more of them than we accept. */
export class Malformed extends SallyportError {
  readonly fault: 'client' | 'upstream'

  constructor(fault: 'client' | 'upstream', code: string, message: string, options?: Cause) {
    super(code, message, options)
    this.fault = fault
  }
}

/** The target cannot be reached, or refused the stored credential. */
export class Unreachable extends SallyportError {
  readonly fault = 'upstream' as const
}

/** The record cannot be kept, so nothing may go on. */
export class RecordingFailed extends SallyportError {
  readonly fault = 'gateway' as const
}

/** What the operator wrote does not work; the message says what, where and what to do. */
export class Misconfigured extends SallyportError {
  readonly fault = 'gateway' as const
}

export type KnownError = Denied | Malformed | Unreachable | RecordingFailed | Misconfigured

export function isKnownError(error: unknown): error is KnownError {
  return error instanceof SallyportError
}
