/**
 * What Piscina loads on every worker thread, before it runs an entry there.
 *
 * Piscina tries `require` first. Of an ES module that loads all its graph in one synchronous step, and a thread that is terminated in the
 * middle of it takes the process with it (`v8::Module::IsGraphAsync must be used on an instantiated module`, Node 20.20). So the
 * file that Piscina loads is CommonJS and this small, and the entry is imported, which may be interrupted anywhere.
 */
interface Entry {
  /** The module and the exported function to run, and what it is given. */
  module: string
  name: string
  data: unknown
}

async function run({ module: url, name, data }: Entry): Promise<unknown> {
  const loaded = await import(url) as Record<string, (data: unknown) => unknown>
  return loaded[name]!(data)
}

export = { run }
