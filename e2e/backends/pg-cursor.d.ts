// pg-cursor ships no types; this is what the tests use of it.

declare module 'pg-cursor' {
  import type { Submittable, Connection } from 'pg'

  export default class Cursor<R = unknown> implements Submittable {
    constructor(text: string, values?: readonly unknown[])
    read(rows: number): Promise<R[]>
    close(): Promise<void>
    submit(connection: Connection): void
  }
}
