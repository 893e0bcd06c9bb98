// What becomes of a masked value, as SQL of the column's own kind. NULL stays NULL. Results are byte strings.

import type { Transform } from '@sallyport/core'
import type { MysqlColumn } from './catalog.js'

const byteString = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

export function quotedName(name: string): string {
  return byteString(`\`${name.replaceAll('`', '``')}\``)
}

/** Salts are ours: hex and letters. */
const literal = (text: string): string => `'${text.replaceAll(/['\\]/g, (sign) => `\\${sign}`)}'`

const texts = new Set(['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext'])

/** E-mail keeps the first letter (where there is more than one before the @) and the domain; all else its last 4 characters, if it is longer. */
function partial(value: string): string {
  const at = `LOCATE('@', ${value})`
  return `CASE WHEN ${value} REGEXP '^[^@[:space:]]+@[A-Za-z0-9.-]+$' THEN CONCAT(LEFT(${value}, IF(${at} > 2, 1, 0)), '***', SUBSTRING(${value}, ${at})) WHEN CHAR_LENGTH(${value}) <= 4 THEN REPEAT('*', CHAR_LENGTH(${value})) ELSE CONCAT(REPEAT('*', CHAR_LENGTH(${value}) - 4), RIGHT(${value}, 4)) END`
}

function masked(value: string, transform: Transform, salt: string): string {
  const digest = `LEFT(SHA2(CONCAT(${literal(salt)}, ${value}), 256), 16)`
  switch (transform) {
    case 'null':
      return 'NULL'
    case 'redact':
      return `'[redacted]'`
    case 'partial':
      return partial(value)
    case 'hash':
      return digest
    case 'token':
      return `CONCAT('tok_', ${digest})`
  }
}

/** SQL for the masked value of a column, within a SELECT that reads nothing but its table. */
export function maskedSql(column: MysqlColumn, transform: Transform, salt: string): string {
  const name = quotedName(column.name)
  if (transform === 'null' || !texts.has(column.type)) return `CAST(NULL AS ${castType(column)})`
  const size = /^(?:var)?char\((\d+)\)/.exec(column.fullType)?.[1]
  const value = masked(`CONVERT(${name} USING utf8mb4)`, transform, salt)
  return `IF(${name} IS NULL, NULL, ${size === undefined ? value : `LEFT(${value}, ${size})`})`
}

/** The nearest type that every server can cast to. */
function castType({ type, fullType }: MysqlColumn): string {
  if (/int$|^year$|^bit$/.test(type)) return fullType.includes('unsigned') ? 'UNSIGNED' : 'SIGNED'
  if (type === 'decimal') return /^decimal\(\d+,\d+\)/.exec(fullType)?.[0].toUpperCase() ?? 'DECIMAL'
  if (type === 'date') return 'DATE'
  if (type === 'time') return 'TIME'
  if (type === 'datetime' || type === 'timestamp') return 'DATETIME'
  if (type === 'float' || type === 'double') return 'DOUBLE'
  return /blob|binary|geometry/.test(type) ? 'BINARY' : 'CHAR'
}
