// Whether a WHERE narrows a write by more than a constant.

import type { A_Expr, BoolExpr } from 'libpg-query'
import { holds, shape, tagged } from './tree.js'

export function narrows(where: unknown): boolean {
  const found = tagged(where)
  if (found === undefined) return false
  if (found.kind === 'CurrentOfExpr') return true
  if (found.kind === 'BoolExpr') {
    const { boolop, args = [] } = found.body as BoolExpr
    // An arm that is always true makes OR always true; AND narrows as soon as one arm does.
    return boolop === 'OR_EXPR' ? args.every(narrows) : args.some(narrows)
  }
  if (found.kind === 'A_Expr') {
    const { lexpr, rexpr } = found.body as A_Expr
    if (lexpr !== undefined && rexpr !== undefined && shape(lexpr) === shape(rexpr)) return false
  }
  return holds(where, 'ColumnRef')
}
