/** A child process that does one thing at a time when it is asked, and answers with a value. */
import { fork } from 'node:child_process'

export interface Child<Answer> {
  ask(question: unknown): Promise<Answer>
  /** Lets the child end by itself. */
  end(): Promise<void>
}

/** Starts the module; its first message says that it is ready, each later one answers a question. */
export async function startChild<Answer>(module: URL, args: readonly string[], execArgv: readonly string[] = []): Promise<Child<Answer>> {
  const child = fork(module, args, { execArgv: [...process.execArgv, ...execArgv] })
  const kill = (): void => void child.kill()
  process.once('exit', kill)
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const answer = (): Promise<Answer> =>
    new Promise<Answer>((resolve, reject) => {
      const heard = (message: Answer): void => {
        child.off('exit', gone)
        resolve(message)
      }
      const gone = (code: number | null): void => {
        child.off('message', heard)
        reject(new Error(`${module.pathname} ended with ${code} instead of an answer`))
      }
      child.once('message', heard).once('exit', gone)
    })
  await answer()
  return {
    async ask(question) {
      const answered = answer()
      child.send(question as object) // what a child is asked is a plain object or a string
      return answered
    },
    async end() {
      if (child.connected) child.disconnect()
      await exited
      process.off('exit', kill)
    },
  }
}
