// Which server a text is for. Executable comments are part of the text at some servers and not at others; what a server tells of accounts differs too.

export interface ServerVersion {
  readonly isMariadb: boolean
  /** As executable comments count: 101119 for 10.11.19. */
  readonly number: number
}

/** What VERSION() says: `8.0.40`, `10.11.19-MariaDB-log`. Undefined where it cannot be told. */
export function serverVersion(said: string): ServerVersion | undefined {
  const [all, major, minor, patch] = /^(\d{1,2})\.(\d{1,2})\.(\d{1,2})/.exec(said) ?? []
  if (all === undefined) return undefined
  return { isMariadb: /mariadb/i.test(said), number: Number(major) * 10_000 + Number(minor) * 100 + Number(patch) }
}

/** Executable comments up to this version run at every server there is (MariaDB skips 5.7.0 to 9.99.99, MySQL what is newer than itself). */
const everyServer = 50_699

/**
 * Whether the server runs what stands behind `/*!` or `/*M!` and these digits; undefined where it cannot be told. MariaDB takes five digits or six
 * (sql_lex.cc, lex_token); of MySQL only newer ones take six, so there both readings must agree.
 */
export function runsComment(server: ServerVersion | undefined, ofMariadb: boolean, digits: string): boolean | undefined {
  if (digits !== '' && digits.length !== 5 && digits.length !== 6) return undefined
  const told = Number(digits)
  if (server === undefined) return !ofMariadb && digits.length !== 6 && told <= everyServer ? true : undefined
  if (ofMariadb && !server.isMariadb) return false
  if (told > server.number && Number(digits.slice(0, 5)) > server.number) return false
  if (server.isMariadb) return told <= server.number && (ofMariadb || told <= everyServer || told > 99_999)
  return digits.length === 6 ? undefined : true
}
