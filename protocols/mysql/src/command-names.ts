// Commands that are known and never let through (include/my_command.h); the rest are only a number.

import { command } from './packets.js'

export function nameOf(code: number | undefined): string {
  return code === undefined ? 'an empty command' : (denied[code] ?? `command 0x${code.toString(16).padStart(2, '0')}`)
}

const denied: Readonly<Record<number, string>> = {
  [command.fieldList]: 'COM_FIELD_LIST',
  0x05: 'COM_CREATE_DB',
  0x06: 'COM_DROP_DB',
  0x07: 'COM_REFRESH',
  0x08: 'COM_SHUTDOWN',
  0x0a: 'COM_PROCESS_INFO',
  0x0c: 'COM_PROCESS_KILL',
  0x0d: 'COM_DEBUG',
  [command.changeUser]: 'COM_CHANGE_USER',
  0x12: 'COM_BINLOG_DUMP',
  0x13: 'COM_TABLE_DUMP',
  0x15: 'COM_REGISTER_SLAVE',
  0x1e: 'COM_BINLOG_DUMP_GTID',
  0x20: 'COM_CLONE',
  0xfa: 'COM_STMT_BULK_EXECUTE',
}
