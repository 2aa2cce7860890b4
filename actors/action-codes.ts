/** Numbers for actions on the lanes between threads of one process: both ends have the same list. */
import type { Action } from './action.js'

const codes = new Map<Action, number>()
const actions: Action[] = []
let publicCount = 0

/** Gives each action its number: those that handles offer, then those that only messages name. Called once, by the list. */
export function numberActions(offered: readonly Action[], internal: readonly Action[]): void {
  for (const action of [...offered, ...internal]) {
    codes.set(action, actions.length)
    actions.push(action)
  }
  publicCount = offered.length
}

/** All actions that have a number, in the order of the numbers. */
export function numberedActions(): readonly Action[] {
  return actions
}

export function codeOf(action: Action): number {
  return codes.get(action)!
}

export function actionOf(code: number): Action {
  return actions[code]!
}

/** The actions that handles offer. */
export function publicActions(): readonly Action[] {
  return actions.slice(0, publicCount)
}
