/** `npm run docs`: writes the reference of the actions. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { readReference, REFERENCE_FILE, renderReference } from './reference.js'

mkdirSync(dirname(REFERENCE_FILE), { recursive: true })
writeFileSync(REFERENCE_FILE, renderReference(readReference()))
