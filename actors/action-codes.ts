/** Numbers for actions on the lanes between threads of one process: both ends have the same list. */
import type { Action } from './action.js'

const codes = new Map<Action, number>()
const actions: Action[] = []

/** Gives each action of the list its number. Called once, by the list. */
export function numberActions(list: readonly Action[]): void {
  for (const action of list) {
    codes.set(action, actions.length)
    actions.push(action)
  }
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
